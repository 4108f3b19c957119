import { createIPX, createIPXWebServer } from 'ipx'
import sharp from 'sharp'
import t from 'tap'
import { inputFormats } from '../../../lib/image/format.ts'
import type { OpenInput } from '../../../lib/image/job.ts'
import { runJob } from '../../../lib/image/pipeline/pipeline.ts'
import { parseIpx } from '../../../lib/transform/grammars/ipx.ts'
import { canonical } from '../../../lib/transform/transform.ts'

/** A picture with something to see in each part of it, opaque. */
const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="240">
  <defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#204080"/><stop offset="1" stop-color="#e0a060"/></linearGradient></defs>
  <rect width="400" height="240" fill="url(#g)"/><circle cx="90" cy="70" r="50" fill="#fff"/><rect x="230" y="120" width="120" height="80" fill="#803020"/><path d="M20 220 L120 150 L200 220Z" fill="#206030"/>
</svg>`
const original = await sharp(Buffer.from(drawing)).removeAlpha().png().toBuffer()

const ipx = createIPXWebServer(createIPX({ storage: { name: 'one', getMeta: () => ({ mtime: new Date(0) }), getData: () => new Uint8Array(original).buffer } }))

async function theirs (modifiers: string): Promise<Buffer> {
  const answer = await ipx(new Request(`http://localhost/${modifiers}/cat.png`), {})
  if (answer.status !== 200) throw new Error(`${modifiers}: ${await answer.text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

const input: OpenInput = { path: undefined, size: original.length, head: async length => original.subarray(0, length), bytes: async () => original }

async function ours (modifiers: string): Promise<Buffer> {
  const transform = canonical(parseIpx(`${modifiers}/cat.png`).asked.values)
  const limits = { inputPixels: 1e6, outputPixels: 1e6, framePixels: 1e6, dimension: 4000, inputs: inputFormats }
  const format = transform.f === undefined || transform.f === 'auto' ? 'png' : transform.f
  return (await runJob({ kind: 'variant', transform, format, limits }, [input], AbortSignal.timeout(20_000))).bytes
}

/** Mean difference of channels, of 255. */
async function apart (one: Buffer, other: Buffer): Promise<number> {
  const [a, b] = await Promise.all([one, other].map(async bytes => await sharp(bytes).flatten().toColourspace('srgb').raw().toBuffer()))
  if (a === undefined || b === undefined || a.length !== b.length) return Infinity
  return a.reduce((sum, value, place) => sum + Math.abs(value - (b[place] ?? 0)), 0) / a.length
}

/** What IPX 3 does with the engine of today: `modulate`, `trim_10` and bare `sharpen` are refused by it. */
const same = [
  '_', 'w_100', 'w_1000', 'w_1000,enlarge', 'h_100', 'h_500', 'w_100,h_50', 's_100x100', 's_100', 's_100x100,fit_contain,b_ff0000', 's_100x100,fit_fill', 's_100x100,fit_inside', 's_100x100,fit_outside',
  's_600x100', 's_500x500', 's_500x500,enlarge', 's_100x100,pos_left', 's_100x100,pos_right%20top', 's_100x50,position_bottom', 's_100x100,kernel_nearest', 's_100x100,w_50', 's_100x100,h_50', 'w_100,fit_cover',
  'crop_50_40_120_90', 'extract_50_40_120_90', 'w_100,extend_5_10_15_20,b_00ff00', 'rotate_90', 'rotate_180,w_100', 'flip', 'flop', 'flip,flop,w_100', 'blur_4', 'median_5', 'negate', 'grayscale', 'threshold_100', 'w_100&q_50', 'f_jpeg', 'format_jpg', 'f_webp,w_100',
  'tint_red', 'normalize', 'gamma_2.2,w_100', 'flatten'
]

t.test('IPX 3 and we make the same picture of the same modifiers', async t => {
  for (const modifiers of same) {
    const [there, here] = await Promise.all([theirs(modifiers), ours(modifiers)])
    const [a, b] = await Promise.all([sharp(there).metadata(), sharp(here).metadata()])
    t.strictSame([b.format, b.width, b.height], [a.format, a.width, a.height], modifiers)
    const difference = await apart(there, here)
    t.ok(difference < 6, `${modifiers}: ${difference.toFixed(2)} of 255 apart`)
  }
})
