// Small files that mean much: headers of gigapixels, streams of zeros, a hundred thousand
// frames, pages in a circle. Decoded in the server's own process, an interlaced PNG or an AVIF
// of 1.2 kB took 0.8 to 1.6 GB, and four of them held up every file (anchors: imgproxy's and
// thumbor's pixel bombs, Next CVE-2024-47831).
import t from 'tap'
import { flatAvif, gif, jpeg, lyingAvif, png, pngChunk, tiff, webp, zlibZeros } from '../helpers/bombs.ts'
import { askAll, askTimed, besieged, outlived, watch, wrongAnswer, wrongRefusal } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const DEADLINE_MS = 1000
/** Milliseconds beyond the deadline: waiting for one of two workers, which may have to be started. */
const GRACE_MS = 1500

/** Refused for what they say of themselves. */
async function impossible (): Promise<Record<string, Buffer>> {
  return {
    'header.png': png({ width: 50_000, height: 50_000, dataBytes: 1000 }),
    'longest.png': png({ width: 2 ** 31 - 1, height: 2 ** 31 - 1, bitDepth: 16, colour: 6, dataBytes: 1000 }),
    'line.png': png({ width: 2 ** 31 - 1, height: 1, dataBytes: 1000 }),
    'nothing.png': png({ width: 0, height: 0 }),
    'interlaced-header.png': png({ width: 60_000, height: 60_000, interlaced: true, dataBytes: 1000 }),
    'palette.png': png({ width: 100_000, height: 100_000, colour: 3, bitDepth: 1, dataBytes: 1_000_000_000 }),
    'huge.jpg': jpeg({ width: 65_535, height: 65_535, dataBytes: 100 }),
    'huge-progressive.jpg': jpeg({ width: 65_535, height: 65_535, components: 4, progressive: true, scans: 500, dataBytes: 10 }),
    'no-height.jpg': jpeg({ width: 65_535, height: 0, dataBytes: 1000 }),
    'canvas.gif': gif({ width: 65_535, height: 65_535, frames: 1 }),
    'canvas-frames.gif': gif({ width: 2000, height: 2000, frames: 1000 }),
    'whole-frames.gif': gif({ width: 5000, height: 5000, frames: 1000, wholeFrames: true }),
    'canvas.webp': await webp({ width: 16_777_216, height: 256 }),
    'frames.webp': await webp({ width: 4000, height: 4000, frames: 5000 }),
    'huge.tiff': tiff({ width: 65_535, height: 65_535 }),
    'huge-deflated.tiff': tiff({ width: 30_000, height: 30_000, deflated: true }),
    'huge.avif': await lyingAvif(65_535, 65_535),
    'longest.avif': await lyingAvif(0xffffffff, 0xffffffff)
  }
}

/** Just within the limits, or with what no header tells: made within the bounds, or refused. */
async function heavy (): Promise<Record<string, Buffer>> {
  const flat = await flatAvif()
  const understated = Buffer.from(flat)
  understated.fill(0, understated.indexOf('ispe') + 8, understated.indexOf('ispe') + 16)
  understated[understated.indexOf('ispe') + 11] = 1
  understated[understated.indexOf('ispe') + 15] = 1
  const text = Buffer.concat([Buffer.from('a\0\0'), zlibZeros(500_000_000)])
  return {
    'interlaced.png': png({ width: 7070, height: 7070, interlaced: true }),
    'interlaced-16.png': png({ width: 7070, height: 7070, interlaced: true, bitDepth: 16, colour: 6 }),
    'progressive.jpg': jpeg({ width: 7064, height: 7064, components: 3, progressive: true, scans: 10 }),
    'cmyk.jpg': jpeg({ width: 7064, height: 7064, components: 4, progressive: true, scans: 10 }),
    'scans.jpg': jpeg({ width: 5000, height: 5000, components: 3, progressive: true, scans: 2000 }),
    'cut.jpg': jpeg({ width: 7064, height: 7064, components: 3, progressive: true, dataBytes: 10 }),
    'segments.jpg': jpeg({ width: 16, height: 16, segments: Array.from<Buffer>({ length: 200 }).fill(Buffer.concat([Buffer.from([0xff, 0xe1, 0xff, 0xff]), Buffer.from('Exif\0\0II*\0'), Buffer.alloc(65_523, 8)])) }),
    'flat.avif': flat,
    'understated.avif': understated,
    'profile.png': png({ width: 16, height: 16, chunks: [pngChunk('iCCP', text)] }),
    'text.png': png({ width: 16, height: 16, chunks: Array.from<Buffer>({ length: 4 }).fill(pngChunk('zTXt', text)) }),
    'chunks.png': png({ width: 16, height: 16, chunks: Array.from<Buffer>({ length: 100_000 }).fill(pngChunk('tEXt', Buffer.from('a\0b'))) }),
    'more-zeros.png': png({ width: 16, height: 16, dataBytes: 1_000_000_000 }),
    // The decoder takes the canvas for a mistake, and the frame for the picture.
    'canvas-mistaken.gif': gif({ width: 5000, height: 5000, frames: 1000 }),
    'frames.gif': gif({ width: 10, height: 10, frames: 100_000 }),
    'frames.small.webp': await webp({ width: 10, height: 10, frames: 50_000 }),
    'pages.tiff': tiff({ width: 10, height: 10, pages: 20_000 }),
    'circle.tiff': tiff({ width: 10, height: 10, pages: 3, cyclic: true }),
    'strip.tiff': tiff({ width: 7000, height: 7000, deflated: true })
  }
}

t.test('what says that it is huge is refused for that, at once, before anything is decoded', async t => {
  const files = await impossible()
  const siege = await besieged(t, files)
  const { result, seen } = await watch(siege, async () => await askAll(siege, Object.keys(files).flatMap(name => [`/${name}?w=64`, `/${name}?info`])))
  for (const [path, answer] of result) {
    // What a picture is may be told without decoding it.
    const wrong = path.endsWith('?info') && answer.status === 200 ? undefined : wrongRefusal(answer, siege.root)
    t.equal(wrong, undefined, `${path} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < 2000 * seen.slowness, `${path} took ${Math.round(answer.ms)} ms`)
  }
  await outlived(t, siege, seen)
})

t.test('what is heavy is made within the bounds or refused, and plain files do not wait for it', async t => {
  const files = await heavy()
  const siege = await besieged(t, files, { work: { deadlineMs: DEADLINE_MS } })
  // What is asked first of every other: what ended its worker then is refused at once later.
  const questions = Object.keys(files).map((name, n) => n % 3 === 0 ? [`/${name}?info`, `/${name}?w=64`] : [`/${name}?w=64`, `/${name}?info`])
  const { result, seen } = await watch(siege, async () => await askAll(siege, [0, 1].flatMap(n => questions.map(pair => pair[n] ?? ''))))
  for (const [path, answer] of result) {
    const wrong = path.endsWith('?info') && answer.status === 200 ? undefined : wrongAnswer(answer, siege.root)
    t.equal(wrong, undefined, `${path} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < DEADLINE_MS + GRACE_MS * seen.slowness, `${path} took ${Math.round(answer.ms)} ms`)
  }
  await outlived(t, siege, seen)
  for (const [path, { code }] of result) {
    if (code !== 'image-too-costly') continue
    const again = await askTimed(siege, path)
    t.match(again, { status: 422, code: 'image-too-costly' }, `${path} is remembered`)
    t.ok(again.ms < DEADLINE_MS, `and not tried again: ${Math.round(again.ms)} ms`)
  }
})

t.test('what never was made is refused in every size once it ended a worker, though ?info could be told', async t => {
  const siege = await besieged(t, { 'frames.gif': gif({ width: 32, height: 32, frames: 95_000 }) }, { work: { deadlineMs: DEADLINE_MS } })
  t.equal((await askTimed(siege, '/frames.gif?info')).status, 200)
  t.match(await askTimed(siege, '/frames.gif?w=64'), { status: 422, code: 'image-too-costly' })
  for (const width of [16, 32, 320]) {
    const again = await askTimed(siege, `/frames.gif?w=${width}`)
    t.match(again, { status: 422, code: 'image-too-costly' })
    t.ok(again.ms < DEADLINE_MS, `not tried again: ${Math.round(again.ms)} ms`)
  }
})
