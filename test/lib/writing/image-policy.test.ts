import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { WorkQueue } from '../../../lib/image/work-queue.ts'
import { WorkerPool } from '../../../lib/image/workers/worker-pool.ts'
import { applyImagePolicy, looksAt, type ComingPicture } from '../../../lib/writing/image-policy.ts'
import { scratch, type Test } from '../../helpers/app.ts'
import { pixels, placed, told } from '../../helpers/kept-pictures.ts'
import { drawn } from '../../helpers/pictures.ts'

type Rules = ComingPicture['rules']

const rules: Rules = { check: true, reencode: false, metadata: 'all', maxPixels: 100_000_000 }

/** The same workers and queue for every picture of a test. */
function workshop (t: Test, { workerBytes = 320 * 1024 * 1024, deadlineMs = 20_000, maxWaiting = 10 } = {}): { pool: WorkerPool, queue: WorkQueue, apply: (path: string, own?: Partial<Rules>, rest?: Partial<ComingPicture>) => Promise<Buffer | undefined> } {
  const pool = new WorkerPool({ workers: 1, workerBytes, deadlineMs, totalBytes: 2 * workerBytes })
  t.teardown(async () => await pool.close())
  const queue = new WorkQueue({ concurrency: 1, maxWaiting })
  return { pool, queue, apply: async (path, own, rest) => await applyImagePolicy({ path, type: 'image/jpeg', rules: { ...rules, ...own }, ...rest }, { workers: pool, queue, workerBytes }) }
}

t.test('pictures are looked at in a worker: kept, changed or refused', async t => {
  const original = await placed('jpeg')
  const root = await realpath(await scratch(t, { 'good.jpg': original, 'cut.jpg': original.subarray(0, -40), 'drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg"><a/></svg>', 'a.bmp': Buffer.from('BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0', 'latin1'), 'empty.jpg': '' }))
  const { apply, pool } = workshop(t)
  const good = join(root, 'good.jpg')
  t.equal(await apply(good), undefined)
  t.equal(pool.alive, 1, 'by a process of its own')
  await t.rejects(apply(join(root, 'cut.jpg')), { code: 'broken-image' })

  const placeless = await apply(good, { metadata: 'no-location' }) ?? original
  t.match(await told(placeless), { place: false, maker: 'Camera' })
  t.ok((await pixels(placeless)).equals(await pixels(original)))
  t.match(await told(await apply(good, { metadata: 'none' }) ?? original), { maker: undefined })
  t.match(await sharp(await apply(good, { maxSide: 16 })).metadata(), { format: 'jpeg', width: 16, height: 12 })
  t.match(await told(await apply(good, { reencode: true }) ?? original), { maker: undefined })

  t.equal(await apply(join(root, 'drawing.svg')), undefined)
  t.match((await apply(join(root, 'drawing.svg'), { reencode: true }))?.toString(), /<svg/)
  t.equal(await apply(join(root, 'a.bmp')), undefined)
  await t.rejects(apply(join(root, 'a.bmp'), { reencode: true }), { code: 'unsupported-image' })
  t.equal(await apply(join(root, 'empty.jpg')), undefined, 'nothing is no picture: types decide about that')
})

t.test('what asks for nothing, and what is no picture, starts no worker', async t => {
  const { apply, pool } = workshop(t)
  t.equal(await apply('/nowhere', { check: false }), undefined)
  t.equal(await apply('/nowhere', {}, { type: 'text/plain' }), undefined)
  t.equal(pool.alive, 0)
  t.notOk(looksAt('application/pdf', { ...rules, reencode: true }))
  for (const own of [{ reencode: true }, { metadata: 'none' }, { metadata: 'no-location' }, { maxSide: 10 }, { check: true }] as const) t.ok(looksAt('image/png', { ...rules, check: false, ...own }))
})

t.test('bombs are refused by their header, before a worker is asked', async t => {
  const huge = Buffer.from(await drawn(8, 8).png().toBuffer())
  huge.writeUInt32BE(50_000, 16)
  huge.writeUInt32BE(50_000, 20)
  const interlaced = Buffer.from(await drawn(8, 8).png({ progressive: true }).toBuffer())
  interlaced.writeUInt32BE(9000, 16)
  interlaced.writeUInt32BE(9000, 20)
  const root = await realpath(await scratch(t, { 'huge.png': huge, 'interlaced.png': interlaced }))
  const { apply, pool } = workshop(t)
  await t.rejects(apply(join(root, 'huge.png')), { code: 'image-too-large', statusCode: 422 })
  await t.rejects(apply(join(root, 'interlaced.png')), { code: 'image-too-costly', statusCode: 422 })
  t.equal(pool.alive, 0)
  await t.rejects(apply(join(root, 'interlaced.png'), { maxPixels: 1000 }), { code: 'image-too-large' })
})

t.test('a picture that takes too long ends its worker, and the next one is looked at', async t => {
  const slow = await sharp({ create: { width: 3000, height: 3000, channels: 3, background: 'red', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).jpeg({ progressive: true }).toBuffer()
  const root = await realpath(await scratch(t, { 'slow.jpg': slow, 'good.jpg': await drawn(16, 16).jpeg().toBuffer() }))
  const { apply, pool } = workshop(t, { deadlineMs: 40 })
  await pool.engine() // it takes its time to start, which is none of a picture's
  await t.rejects(apply(join(root, 'slow.jpg')), { code: 'image-too-costly' })
  const patient = workshop(t)
  t.equal(await patient.apply(join(root, 'good.jpg')), undefined)
})

t.test('there is a queue, with an end', async t => {
  const root = await realpath(await scratch(t, { 'good.jpg': await drawn(1000, 1000).jpeg().toBuffer() }))
  const { apply, queue } = workshop(t, { maxWaiting: 1 })
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(async () => await apply(join(root, 'good.jpg'))))
  t.same(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'fulfilled', 'rejected', 'rejected'])
  for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'busy', statusCode: 503, headers: { 'retry-after': /^\d+$/ } })
  await queue.idle()
  const gone = new AbortController()
  gone.abort(new Error('left'))
  await t.rejects(apply(join(root, 'good.jpg'), {}, { signal: gone.signal }), { message: 'left' })
})

t.test('the directory may be reached by a link', async t => {
  const root = await scratch(t)
  await mkdir(join(root, 'there'))
  await writeFile(join(root, 'there', 'cut.jpg'), (await drawn(16, 16).jpeg().toBuffer()).subarray(0, -10))
  await symlink(join(root, 'there'), join(root, 'link'))
  await t.rejects(workshop(t).apply(join(root, 'link', 'cut.jpg')), { code: 'broken-image' }, 'it is read all the same')
})
