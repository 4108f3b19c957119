import sharp from 'sharp'
import t from 'tap'
import { bare } from '../../../../lib/image/keeping/bare.ts'
import { changed, keep, pixels, placed, told, withChunks, withExtension, withSegments } from '../../../helpers/kept-pictures.ts'
import { animation, drawn } from '../../../helpers/pictures.ts'

const secret = /Secret|Camera|Somebody|secret/

t.test('nothing but the picture stays of each format', async t => {
  for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
    const original = await placed(format)
    const kept = await changed(original, { metadata: 'none' })
    t.match(await told(kept), { place: false, maker: undefined, xmp: undefined }, format)
    t.notMatch(kept.toString('latin1'), secret)
    if (format !== 'avif') t.ok((await pixels(original)).equals(await pixels(kept)), `${format}: no pixel changes`)
    t.equal(await keep(kept, { metadata: 'none' }) === undefined, format !== 'tiff', `${format}: what tells nothing is kept as it is, if that can be told`)
  }
})

t.test('colour profiles and orientation stay', async t => {
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const original = await sharp(await drawn(32, 16).png().toBuffer()).withIccProfile('p3').withExif({ IFD0: { Orientation: '6', Make: 'Camera' } }).withMetadata({ orientation: 6 }).toFormat(format).toBuffer()
    const kept = await changed(original, { metadata: 'none' })
    t.match(await told(kept), { orientation: 6, hasProfile: true, maker: undefined }, format)
    t.ok((await pixels(original)).equals(await pixels(kept)))
    t.equal(await keep(kept, { metadata: 'none' }), undefined, `${format}: once is enough`)
  }
})

t.test('a JPEG loses every segment that is no picture, in and behind it', async t => {
  const jpeg = await drawn(32, 32).jpeg({ progressive: true, quality: 90 }).toBuffer()
  const original = Buffer.concat([withSegments(jpeg, [0xe0, 'JFIF\0\x01\x01\0\0\x01\0\x01\0\0'], [0xe0, 'JFXX\0secret'], [0xe1, 'http://ns.adobe.com/xap/1.0/\0secret'], [0xe2, 'MPF\0secret'], [0xe5, 'secret'], [0xed, 'Photoshop 3.0\0secret'], [0xfe, 'a secret comment'], [0xee, 'Adobe\0\x64\0\0\0\0\x01']), Buffer.from('a secret film')])
  const kept = await keep(original, { metadata: 'none' })
  t.notMatch(kept?.toString('latin1'), secret)
  t.match(kept?.toString('latin1'), /JFIF[^]*Adobe/)
  t.ok((await pixels(kept ?? original)).equals(await pixels(original)))
  const filled = Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xff]), jpeg.subarray(2)])
  t.ok(bare(filled, 'jpeg', 1)?.equals(jpeg), 'bytes that only fill go')
  for (const end of [2, 3, 10, 200]) t.equal(bare(jpeg.subarray(0, end), 'jpeg', 1), undefined, `cut at ${end}`)
  t.equal(bare(jpeg.subarray(0, -2), 'jpeg', 1), undefined, 'without its end')
  t.equal(bare(Buffer.concat([jpeg.subarray(0, 2), Buffer.from('junk')]), 'jpeg', 1), undefined)
  const restarts = await sharp(await drawn(64, 64).png().toBuffer()).jpeg({ quality: 100 }).toBuffer()
  t.ok(bare(restarts, 'jpeg', 1)?.length)
})

t.test('coded data are followed to their end, restarts and stuffed bytes among them', t => {
  const scan = Buffer.from('ffd8ffda00021122ff00ffd0aaffffd7bbff01ffd9', 'hex')
  t.equal(bare(scan, 'jpeg', 1), undefined, 'a marker of no known meaning')
  const good = Buffer.from('ffd8ffda00041122ff00ffd0aaffffd7bbffd9', 'hex')
  t.equal(bare(Buffer.concat([good, Buffer.from('junk')]), 'jpeg', 1)?.toString('hex'), good.toString('hex'))
  for (const start of ['ffd8ffda000411', 'ffd8ffda00041122aa', 'ffd8ffda00041122aaff']) t.equal(bare(Buffer.from(start, 'hex'), 'jpeg', 1), undefined, 'cut within')
  t.end()
})

t.test('a PNG loses chunks of text, time and what nobody knows, and keeps its frames', async t => {
  const png = await drawn(16, 16).png().toBuffer()
  const original = Buffer.concat([withChunks(png, ['tEXt', 'Comment\0secret'], ['tIME', '\x07\xea\x01\x01\0\0\0'], ['prVt', 'secret'], ['gAMA', '\0\0\xb1\x8f'], ['acTL', '\0\0\0\x01\0\0\0\0']), Buffer.from('secret')])
  const kept = bare(original, 'png', 1)
  t.match(kept?.toString('latin1'), /gAMA[^]*acTL/)
  t.notMatch(kept?.toString('latin1'), /secret|tIME/)
  t.equal(bare(original.subarray(0, 60), 'png', 1), undefined)
  t.end()
})

t.test('a WebP loses unknown chunks, and what follows it', async t => {
  const webp = await animation('webp', [100, 200])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(webp.length - 8 + 14)
  const original = Buffer.concat([webp.subarray(0, 4), size, webp.subarray(8), Buffer.from('ABCD\x05\0\0\0secre\0', 'latin1'), Buffer.from('secret')])
  const kept = bare(original, 'webp', 1)
  t.ok(kept?.equals(webp))
  t.equal(bare(webp.subarray(0, 60), 'webp', 1), undefined, 'one that is cut is not touched')
})

t.test('a GIF loses comments and foreign extensions, and keeps its frames', async t => {
  const gif = await animation('gif', [100, 200, 300], { loop: 3 })
  for (const original of [withExtension(gif, 0xfe, 'secret'), withExtension(gif, 0xff, 'XMP DataXMP', 'secret'), Buffer.concat([gif, Buffer.from('secret')]), withExtension(gif, 0x42, 'secret')]) {
    const kept = await keep(original, { metadata: 'none' })
    t.ok(kept?.equals(gif))
  }
  t.ok(bare(withExtension(gif, 0x01, 'plain text'), 'gif', 1)?.includes('plain text'), 'which is drawn')
  t.equal(bare(gif.subarray(0, -1), 'gif', 1), undefined)
  t.equal(bare(Buffer.from('GIF89a'), 'gif', 1), undefined)
  t.equal(bare(Buffer.concat([gif.subarray(0, -1), Buffer.from('x')]), 'gif', 1), undefined)
})

t.test('formats without a way of their own are encoded anew', t => {
  for (const format of ['tiff', 'avif', 'heic', 'svg'] as const) t.equal(bare(Buffer.alloc(100), format, 1), undefined)
  t.end()
})
