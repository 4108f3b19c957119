import t from 'tap'
import { engineOf, sharp } from '../../../../lib/image/pipeline/engine.ts'
import { inputFormats, type OutputFormat } from '../../../../lib/image/format.ts'
import type { ImageJob } from '../../../../lib/image/job.ts'
import { WorkerPool } from '../../../../lib/image/workers/worker-pool.ts'
import type { WorkerEvent } from '../../../../lib/image/workers/worker-options.ts'

const limits = { inputPixels: 1e6, outputPixels: 1e6, framePixels: 1e6, dimension: 1e4, inputs: inputFormats }
const variant = (format: OutputFormat): ImageJob => ({ kind: 'variant', transform: {}, format, limits })
const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10" fill="#0a0"/></svg>')

t.test('the program of an image worker makes pictures of what its engine reads, SVG among it', async t => {
  const events: WorkerEvent[] = []
  const pool = new WorkerPool({ workers: 1, onEvent: event => events.push(event) })
  t.teardown(async () => await pool.close())
  const engine = await pool.engine()
  t.ok(['jpeg', 'png', 'webp', 'svg'].every(format => engine.inputs.some(known => known === format)))
  const png = await sharp({ create: { width: 8, height: 6, channels: 3, background: 'red' } }).png().toBuffer()
  for (const format of engine.outputs) {
    const { bytes } = await pool.run(variant(format), [png])
    const { format: made, width, height } = await sharp(bytes).metadata()
    t.match([made, width, height], [format === 'avif' ? 'heif' : format, 8, 6])
  }
  const { bytes } = await pool.run(variant('png'), [svg])
  t.match(await sharp(bytes).metadata(), { width: 20, height: 10 })
  t.same(events.map(({ kind }) => kind), ['started'])
})

t.test('loaders that nobody hardened are not there, whatever the job allows', async t => {
  const pool = new WorkerPool({ workers: 1 })
  t.teardown(async () => await pool.close())
  await t.rejects(pool.run(variant('png'), [Buffer.from('P3\n1 1\n255\n1 2 3\n')]), { name: 'MediaError' })
})

t.test('what an engine reads and writes is told by its loaders and their suffixes', t => {
  t.same(engineOf(sharp).inputs.includes('heic'), sharp.format.heif.input.fileSuffix?.includes('.avif') ?? false)
  const without = { ...sharp.format, svg: { ...sharp.format.svg, input: { file: false, buffer: false, stream: false } }, webp: { ...sharp.format.webp, output: { file: false, buffer: false, stream: false } } }
  const { inputs, outputs } = engineOf({ format: without })
  t.notOk(inputs.includes('svg'))
  t.ok(inputs.includes('webp') && !outputs.includes('webp'))
  t.end()
})
