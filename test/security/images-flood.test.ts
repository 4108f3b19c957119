// A client that asks for ever another size: Next CVE-2026-27980 (a cache on disk without
// bound), and the same for memory.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { defaultWidths } from '../../lib/transform/limits.ts'
import { variantFiles } from '../helpers/images.ts'
import { eventually } from '../helpers/process.ts'
import { askAll, besieged, outlived, servedPictures, watch, type Timed } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const WIDTHS = 500
const BLOCK = 4096

async function noise (side: number): Promise<Buffer> {
  return await sharp({ create: { width: side, height: side, channels: 3, background: '#888', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).jpeg().toBuffer()
}

/** Bytes that the variants in a directory take on disk. */
function sizeOf (directory: string): number {
  return variantFiles(directory).reduce((sum, file) => {
    try {
      return sum + statSync(file).blocks * 512
    } catch {
      return sum // evicted since it was listed
    }
  }, 0)
}

function tags (answers: Iterable<Timed>): Set<string | undefined> {
  return new Set(Array.from(answers, ({ headers }) => headers.etag))
}

t.test('500 widths, spelled in 500 ways, make no more variants than there are widths', async t => {
  const served = await servedPictures(t, { 'a.jpg': await noise(400) })
  const widths = Array.from({ length: WIDTHS }, (_, n) => n + 1)
  const paths = widths.map(width => [`/a.jpg?w=${width}`, `/a.jpg?width=${width}`, `/_ipx/w_${width}/a.jpg`, `/a.jpg?dpr=1&w=${width}`, `/%61.jpg?f=jpeg&%77=${width}`][width % 5] as string)
  const answers = await askAll(served, paths, 8)
  for (const [path, { status }] of answers) if (status !== 200) t.fail(`${path} is ${status}`)
  const allowed = defaultWidths.filter(width => width <= WIDTHS).length + 1
  t.ok(tags(answers.values()).size <= allowed, `${tags(answers.values()).size} variants`)
  t.ok(await eventually(() => variantFiles(served.variants).length >= tags(answers.values()).size), 'they are kept')
  t.ok(variantFiles(served.variants).length <= allowed, `${variantFiles(served.variants).length} are kept on disk`)
})

t.test('heights, qualities, densities and ratios are bounded like widths', async t => {
  const served = await servedPictures(t, { 'a.jpg': await noise(100) })
  const floods: Record<string, { spell: (n: number) => string, most: number }> = {
    height: { spell: n => `h=${n + 1}`, most: defaultWidths.length },
    quality: { spell: n => `w=50&q=${n % 100 + 1}`, most: 15 },
    density: { spell: n => `w=20&dpr=${(0.5 + n * 0.03).toFixed(2)}`, most: defaultWidths.length },
    blur: { spell: n => `w=50&blur=${(0.3 + n * 0.31).toFixed(2)}`, most: 30 },
    hue: { spell: n => `w=50&hue=${n * 2}`, most: 30 },
    focus: { spell: n => `w=50&h=20&fit=cover&fx=${n / 200}&fy=0.2`, most: 11 }
  }
  for (const [name, { spell, most }] of Object.entries(floods)) {
    const answers = await askAll(served, Array.from({ length: 150 }, (_, n) => `/a.jpg?${spell(n)}`), 8)
    const refused = [...answers.values()].find(({ status }) => status !== 200)
    t.equal(refused?.text, undefined, name)
    t.ok(tags(answers.values()).size <= most, `${name}: ${tags(answers.values()).size} variants`)
  }
})

t.test('what means nothing makes nothing', async t => {
  const served = await servedPictures(t, { 'a.jpg': await noise(100) }, { images: { unknownParameters: 'ignore' } })
  const answers = await askAll(served, Array.from({ length: 200 }, (_, n) => `/a.jpg?w=50&x${n}=${n}&mark-pad=${n}&txt-size=${n + 6}`), 8)
  t.equal(tags(answers.values()).size, 1)
  t.equal([...answers.values()].filter(({ headers }) => headers['x-cache'] === 'made').length < 20, true)
})

t.test('in open mode disk and memory stay within their bounds', async t => {
  const [diskBytes, memoryBytes] = [600_000, 300_000]
  const siege = await besieged(t, { 'a.jpg': await noise(320) }, { images: { mode: 'open' }, work: { cache: { directory: 'variants', diskBytes, memoryBytes } } })
  const variants = join(siege.root, '../variants')
  let most = 0
  const look = setInterval(() => { most = Math.max(most, sizeOf(variants)) }, 100)
  t.teardown(() => clearInterval(look))
  const { result, seen } = await watch(siege, async () => await askAll(siege, Array.from({ length: 300 }, (_, n) => `/a.jpg?w=${20 + n}&f=png`), 4))
  clearInterval(look)
  for (const [path, { status }] of result) if (status !== 200) t.fail(`${path} is ${status}`)
  const bytes = [...result.values()].reduce((sum, { body }) => sum + body.length, 0)
  t.ok(bytes > 5 * diskBytes, `${bytes} bytes were made`)
  // Those that are just being written, aside, come on top.
  const largest = Math.max(...Array.from(result.values(), ({ body }) => body.length))
  t.ok(most <= diskBytes + 4 * (largest + BLOCK), `${most} bytes on disk at most`)
  t.ok(sizeOf(variants) <= diskBytes, `${sizeOf(variants)} bytes on disk at the end`)
  await outlived(t, siege, seen)
})
