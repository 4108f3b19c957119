import { crc32, deflateSync } from 'node:zlib'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import t from 'tap'
import { blankLocation } from '../../../../lib/image/keeping/location.ts'
import { changed, keep, pixels, placed, placedXmp, told, withChunks, withExtension, withSegments } from '../../../helpers/kept-pictures.ts'
import { animation, drawn, noPictures, realPath } from '../../../helpers/pictures.ts'

const words = /48,51|2,21\.1|Secret/

t.test('where a picture was taken is taken out, and nothing else: each format', async t => {
  for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
    const original = await placed(format)
    if (format !== 'tiff') t.ok((await told(original)).place, `${format} tells it`)
    const kept = await changed(original, { metadata: 'no-location' })
    t.equal(kept.length, original.length, `${format}: in place`)
    const after = await told(kept)
    t.notOk(after.place)
    t.notMatch(kept.toString('latin1'), words)
    // The engine writes that of a PNG compressed: it goes whole.
    if (format === 'png') t.equal(after.xmp, undefined)
    else t.match(after.xmp, /a title[^]*a headline/)
    if (format !== 'tiff') t.equal(after.maker, 'Camera', `${format}: the maker stays`)
    t.ok((await pixels(original)).equals(await pixels(kept)), `${format}: no pixel changes`)
    t.equal(await keep(kept, { metadata: 'no-location' }), undefined, `${format}: what tells no place is kept as it is`)
  }
})

t.test('EXIF in either byte order, with the directories below and behind the first', async t => {
  const jpeg = await drawn(16, 16).jpeg().toBuffer()
  for (const order of ['LE', 'BE'] as const) {
    const exif = Buffer.alloc(200)
    const short = (value: number, at: number): void => { exif[`writeUInt16${order}`](value, at) }
    const long = (value: number, at: number): void => { exif[`writeUInt32${order}`](value, at) }
    const entry = (at: number, tag: number, values: readonly [type: number, count: number, value: number]): void => {
      short(tag, at)
      short(values[0], at + 2)
      long(values[1], at + 4)
      long(values[2], at + 8)
    }
    exif.write(order === 'LE' ? 'II*\0' : 'MM\0*', 'latin1')
    long(8, 4)
    short(4, 8) // the first directory: GPS twice, EXIF, maker
    entry(10, 0x8825, [4, 1, 170])
    entry(22, 0x8825, [4, 1, 100])
    entry(34, 0x8769, [4, 1, 62])
    entry(46, 0x010f, [2, 4, 0])
    exif.write('Cam\0', 54)
    long(80, 58)
    short(1, 62) // that of EXIF, with one of GPS below it
    entry(64, 0x8825, [4, 1, 100])
    short(1, 80) // the one behind, which leads back
    entry(82, 0x0131, [2, 1, 0])
    long(8, 94)
    short(1, 170) // GPS once more
    entry(172, 1, [2, 2, 0])
    exif.write('Q\0', 180)
    short(2, 100) // GPS
    entry(102, 1, [2, 2, 0])
    exif.write('N\0', 110)
    entry(114, 2, [5, 3, 140])
    exif.write('secret degrees, in 24 b.', 140)
    const original = withSegments(jpeg, [0xe1, `Exif\0\0${exif.toString('latin1')}`])
    const kept = Buffer.from(original)
    t.ok(blankLocation(kept))
    t.notMatch(kept.toString('latin1'), /secret|in 24|Q\0/, order)
    t.equal((await told(kept)).maker, 'Cam', 'what stood behind it moved up, and is read')
    t.notOk(blankLocation(kept), 'nothing is left')
    t.ok((await pixels(original)).equals(await pixels(kept)))
  }
})

t.test('checksums of a PNG are those of what it holds now', async t => {
  const kept = await changed(await placed('png'), { metadata: 'no-location' })
  let chunks = 0
  for (let at = 8; at < kept.length; at += 12 + kept.readUInt32BE(at), chunks++) {
    const end = at + 8 + kept.readUInt32BE(at)
    t.equal(kept.readUInt32BE(end), crc32(kept.subarray(at + 4, end)), kept.toString('latin1', at + 4, at + 8))
  }
  t.ok(chunks > 3)
})

t.test('hostile directories lead nowhere', t => {
  const random = Buffer.from(Array.from({ length: 4000 }, (_, n) => n * 7919 % 256))
  for (const start of ['II*\0\x08\0\0\0\xff\xff', 'II*\0\xff\xff\xff\xff', 'MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\xff\xff\xff\xff', 'MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\0', 'II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0\x08\0\0\0', 'II*\0', 'MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08']) {
    for (const rest of [Buffer.alloc(0), random]) t.doesNotThrow(() => blankLocation(Buffer.concat([Buffer.from(start, 'latin1'), rest])))
  }
  for (let length = 0; length < 400; length++) t.doesNotThrow(() => blankLocation(Buffer.from(`MM\0*\0\0\0\x08\0\x05\x88\x25\0\x04\0\0\0\x01\0\0\0\x20${'\x88\x25\0\x05\0\0\0\x03\0\0\0\x40'.repeat(40)}`.slice(0, length), 'latin1')))
  t.end()
})

t.test('XMP is found in each of its places, and only properties of places change', async t => {
  const [png, gif] = [await drawn(16, 16).png().toBuffer(), await animation('gif', [100, 100])]
  const chunk = withChunks(png, ['iTXt', `XML:com.adobe.xmp\0\0\0\0\0${placedXmp}`])
  const kept = await keep(chunk, { metadata: 'no-location' })
  t.notMatch(kept?.toString('latin1'), words)
  t.match((await told(kept ?? chunk)).xmp, /a title/, 'and its checksum is right')
  const extended = withExtension(gif, 0xff, 'XMP DataXMP', ...placedXmp.match(/[^]{1,250}/g) ?? [])
  t.notMatch((await keep(extended, { metadata: 'no-location' }))?.toString('latin1'), /48,51/, 'in a GIF')
  const text = Buffer.from('exif:GPSLatitude, exif:GPSLatitude>, exif:GPSAltitude="  ", photoshop:CityHall="x", exif:GPSDOP="" photoshop:Credit="me"')
  const before = Buffer.from(text)
  blankLocation(text)
  t.same(text.toString().replace(/\s/g, ''), before.toString().replace(/\s/g, ''), 'what has no value stays')
})

t.test('what of a PNG cannot be read in place goes whole', async t => {
  const png = await drawn(16, 16).png().toBuffer()
  const chunks: Array<readonly [string, string | Buffer]> = [
    ['zTXt', Buffer.concat([Buffer.from('Raw profile type exif\0\0'), deflateSync('secret')])],
    ['tEXt', 'Raw profile type APP1\0secret'],
    ['iTXt', Buffer.concat([Buffer.from('XML:com.adobe.xmp\0\x01\0\0\0'), deflateSync(placedXmp)])],
    ['zTXt', Buffer.concat([Buffer.from('XML:com.adobe.xmp\0\0'), deflateSync(placedXmp)])],
    ['tEXt', 'Comment\0a comment'],
    ['zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync('a packed comment')])]
  ]
  const kept = await changed(withChunks(png, ...chunks), { metadata: 'no-location' })
  t.notMatch(kept.toString('latin1'), /secret/)
  t.equal(kept.toString('latin1').match(/prVt/g)?.length, 4)
  t.equal((await told(kept)).xmp, undefined)
  t.match((await sharp(kept).metadata()).comments, [{ keyword: 'Comment', text: 'a comment' }, { keyword: 'Comment' }])
  t.ok((await pixels(png)).equals(await pixels(kept)))
  t.notOk(blankLocation(png.subarray(0, 40)), 'one that is cut is left as it is')
})

t.test('IPTC loses places, and keeps the rest', async t => {
  const jpeg = await drawn(16, 16).jpeg().toBuffer()
  const dataset = (number: number, text: string): string => `\x1c\x02${String.fromCharCode(number)}\0${String.fromCharCode(text.length)}${text}`
  const sets = dataset(5, 'a title') + dataset(90, 'Secretville') + dataset(92, 'Secret Street') + dataset(101, 'Secretland') + dataset(80, 'somebody') + '\x1c\x02\x5a\x80\x04\0\0\0\x06Secret'
  const original = withSegments(jpeg, [0xed, `Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0${String.fromCharCode(sets.length)}${sets}`])
  const kept = await keep(original, { metadata: 'no-location' })
  const { iptc } = await told(kept ?? original)
  t.match(iptc?.toString('latin1'), /a title[^]*somebody/)
  t.notMatch(iptc?.toString('latin1'), /Secretville|Secret Street|Secretland/)
})

t.test('what follows a picture is seen to as well', async t => {
  const [first, second] = [await placed('jpeg'), await placed('jpeg', { width: 32, height: 32 })]
  const film = Buffer.from('\0\0\0\x20udta\0\0\0\x18\xa9xyz\0\x12\x15\xc7+48.8584+002.2945+035.0/', 'latin1')
  const kept = await changed(Buffer.concat([first, second, film, Buffer.from('\xa9xyz and no place')]), { metadata: 'no-location' })
  t.notOk((await told(kept.subarray(first.length))).place, 'a second picture')
  t.match(kept.toString('latin1'), /\+00\.0000\+000\.0000\+000\.0/, 'a film')
  t.notMatch(kept.toString('latin1'), /48\.8584|002\.2945/)
})

t.test('real pictures that tell where they were taken no longer do', { skip: noPictures }, async t => {
  for (const file of ['jpeg/gps.jpg', 'jpeg/metadata-all.jpg', 'jpeg/gainmap-ultrahdr.jpg', 'orientation/avif-orientation-6.avif', 'heic/iphone-IMG_5195.heic']) {
    const original = readFileSync(realPath(file))
    const kept = await changed(original, { metadata: 'no-location' })
    const [before, after] = [await told(original), await told(kept)]
    t.notOk(after.place, file)
    t.equal(after.maker, before.maker)
    t.equal(after.orientation, before.orientation)
    t.equal(kept.length, original.length)
    if (!file.startsWith('heic')) t.ok((await pixels(original)).equals(await pixels(kept)), `${file}: no pixel changes`)
  }
})
