// Native decoders have memory errors of their own (libwebp CVE-2023-4863, imgproxy 4.0.12's
// BMP overflow): what they are given is of a kind that is allowed, and runs in a process that
// may end. Cut and flipped pictures of each kind stand for the corpus of a fuzzer.
import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../lib/package-root.ts'
import { oneMount, scratch, serveMedia } from '../helpers/app.ts'
import { flipped, png, pngChunk, pngSignature, smallPictures } from '../helpers/bombs.ts'
import { askAll, askTimed, besieged, outlived, servedPictures, watch, wrongAnswer, wrongRefusal } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const shared = join(packageRoot, '../shared/images')
/** Milliseconds within which what is broken is refused. */
const BROKEN_MS = 6000

function header (width: number, bitDepth: number, colour: number): Buffer {
  return pngChunk('IHDR', Buffer.from([0, 0, 0, width, 0, 0, 0, 32, bitDepth, colour, 0, 0, 0]))
}

/** The corrupt part of PngSuite, made anew: one fault each. */
function corruptPngs (): Record<string, Buffer> {
  const good = png({ width: 32, height: 32, colour: 0, bitDepth: 4 })
  const with8 = (at: number, value: number): Buffer => Buffer.from(good.map((byte, index) => index === at ? value : byte))
  const data = pngChunk('IDAT', good.subarray(good.indexOf('IDAT') + 4, good.indexOf('IEND') - 8))
  const body = (first: Buffer): Buffer => Buffer.concat([pngSignature, first, data, pngChunk('IEND')])
  return {
    'xs1': with8(0, 0x09),
    'xs2': with8(1, 0x70),
    'xs4': with8(3, 0x67),
    'xs7': with8(6, 0x0d),
    'xcr': Buffer.concat([Buffer.from('\x89PNG\r\r\x1a\r', 'latin1'), good.subarray(8)]),
    'xlf': Buffer.concat([Buffer.from('\x89PNG\n\x1a\n', 'latin1'), good.subarray(8)]),
    'xhd': with8(good.indexOf('IHDR') + 17, 0),
    'xc1': body(header(32, 8, 1)),
    'xc9': body(header(32, 8, 9)),
    'xd0': body(header(32, 0, 2)),
    'xd3': body(header(32, 3, 2)),
    'xd9': body(header(32, 99, 2)),
    'xdt': Buffer.concat([pngSignature, header(32, 4, 0), pngChunk('IEND')]),
    'xcs': Buffer.concat([pngSignature, header(32, 4, 0), data.subarray(0, -1), Buffer.from([0x77]), pngChunk('IEND')])
  }
}

t.test('the faults of PngSuite\'s corrupt pictures are each refused', async t => {
  const files = Object.fromEntries(Object.entries(corruptPngs()).map(([name, bytes]) => [`${name}.png`, bytes]))
  const server = await servedPictures(t, { ...files, 'good.png': png({ width: 32, height: 32 }) })
  t.equal((await askTimed(server, '/good.png?w=16')).status, 200, 'which starts the worker')
  for (const name of Object.keys(files)) {
    const answer = await askTimed(server, `/${name}?w=16`)
    t.equal(wrongRefusal(answer, server.root), undefined, `${name} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < BROKEN_MS, `${name} took ${Math.round(answer.ms)} ms`)
  }
})

interface Listed {
  readonly file: string
  readonly sharpDecode?: string
}

/** What the manifest says that the engine does not decode, and what PngSuite marks as corrupt by its name. */
function undecodable (): string[] {
  const { files } = JSON.parse(readFileSync(join(shared, 'MANIFEST.json'), 'utf8')) as { files: Listed[] }
  // This one is decoded since it is put into UTF-8 first.
  return files.filter(({ file, sharpDecode }) => (sharpDecode !== 'ok' && file !== 'svg/utf16.svg') || file.startsWith('pngsuite/x')).map(({ file }) => file)
}

t.test('every real picture that cannot be decoded is refused', { skip: existsSync(join(shared, 'MANIFEST.json')) ? false : 'the folder ../shared/images is not there' }, async t => {
  const server = await serveMedia(t, oneMount(shared, {}, {}, { images: { workers: 1, cache: { directory: await scratch(t) } } }))
  const names = undecodable()
  t.ok(names.length > 20, `${names.length} pictures`)
  for (const name of names) {
    const answer = await askTimed(server, `/_ipx/w_64/${name}`) // a query of what is known to be no picture is its own
    t.equal(wrongRefusal(answer, shared), undefined, `${name} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < BROKEN_MS, `${name} took ${Math.round(answer.ms)} ms`)
  }
})

t.test('pictures that were cut or have bits turned over are made or refused, and never end the server', async t => {
  const files: Record<string, Buffer> = {}
  for (const [kind, bytes] of Object.entries(await smallPictures())) {
    for (const share of [0, 0.02, 0.1, 0.3, 0.5, 0.8, 0.95]) files[`cut-${share}.${kind}`] = bytes.subarray(0, Math.floor(bytes.length * share))
    files[`short.${kind}`] = bytes.subarray(0, -1)
    files[`long.${kind}`] = Buffer.concat([bytes, Buffer.alloc(100_000, 0xff)])
    for (const [n, copy] of flipped(bytes, { copies: 12 }).entries()) files[`flipped-${n}.${kind}`] = copy
    // Sizes, tables and offsets stand in the first bytes.
    for (const [n, copy] of flipped(bytes.subarray(0, 64), { copies: 12, bits: 3, seed: 7 }).entries()) files[`head-${n}.${kind}`] = Buffer.concat([copy, bytes.subarray(64)])
  }
  const siege = await besieged(t, files)
  const { result, seen } = await watch(siege, async () => await askAll(siege, Object.keys(files).map(name => `/${name}?w=16`), 4))
  let refused = 0
  const slow: string[] = []
  for (const [path, answer] of result) {
    if (answer.status !== 200) refused++
    const wrong = wrongAnswer(answer, siege.root)
    if (wrong !== undefined) t.fail(`${path}: ${wrong}`)
    if (answer.ms >= BROKEN_MS * seen.slowness) slow.push(`${path} took ${Math.round(answer.ms)} ms`)
  }
  t.same(slow, [])
  t.ok(refused > result.size / 4, `${refused} of ${result.size} are refused`)
  await outlived(t, siege, seen)
})

t.test('formats that are not on the list do not reach a decoder, whatever their name', async t => {
  const others: Record<string, Buffer> = {
    'bitmap': Buffer.concat([Buffer.from('BM'), Buffer.alloc(12), Buffer.from([40, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 1, 0, 24, 0]), Buffer.alloc(1000)]),
    'page': Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj'),
    'postscript': Buffer.from('%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'),
    'magick': Buffer.from('push graphic-context\nviewbox 0 0 640 480\nfill \'url(https://127.0.0.1/x.jpg"|id; ")\'\npop graphic-context'),
    'pixmap': Buffer.from('P6 16 16 255\n'.padEnd(800, 'x')),
    'matrix': Buffer.from('MATLAB 5.0 MAT-file'.padEnd(500)),
    'fits': Buffer.from('SIMPLE  =                    T'.padEnd(2880)),
    'radiance': Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16 +X 16\n'.padEnd(2000)),
    'vips': Buffer.concat([Buffer.from([0x08, 0xf2, 0xa6, 0xb6]), Buffer.alloc(500, 1)]),
    'csv': Buffer.from('1,2,3\n4,5,6\n'),
    'jp2': Buffer.from('\0\0\0\x0cjP  \r\n\x87\n'.padEnd(200), 'latin1'),
    'jxl': Buffer.from('\xff\x0a\x00\x00'.padEnd(100), 'latin1'),
    'ico': Buffer.from([0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 0, 0, 0, 0, 22, 0, 0, 0]),
    'dzi': Buffer.from('<?xml version="1.0"?><Image TileSize="256" Format="png"><Size Width="9" Height="9"/></Image>'),
    'text': Buffer.from('only words'),
    'empty': Buffer.alloc(0)
  }
  const files = Object.fromEntries(Object.entries(others).flatMap(([name, bytes]) => [[`${name}.jpg`, bytes], [`${name}.svg`, bytes]]))
  const server = await servedPictures(t, files)
  for (const name of Object.keys(files)) {
    for (const path of [`/${name}?w=16`, `/_ipx/w_16/${name}`, `/${name}?info`]) t.match(await askTimed(server, path), { status: 415, code: 'unsupported-image' }, path)
  }
})

t.test('a mount that takes few formats decodes no other, inside another neither', async t => {
  const pictures = await smallPictures()
  const server = await servedPictures(t, { 'a.jpg': pictures['webp'] ?? '', 'b.jpg': pictures['jpg'] ?? '', 'c.jpg': pictures['tiff'] ?? '' }, { images: { inputs: ['jpeg'] } })
  t.equal((await askTimed(server, '/b.jpg?w=16')).status, 200)
  for (const path of ['/a.jpg?w=16', '/c.jpg?w=16', '/a.jpg?info']) t.match(await askTimed(server, path), { status: 415, code: 'unsupported-image' }, path)
})
