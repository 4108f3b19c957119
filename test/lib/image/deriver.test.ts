import { setTimeout as wait } from 'node:timers/promises'
import { Readable } from 'node:stream'
import t from 'tap'
import { MemoryStore } from '../../../lib/cache/memory-store.ts'
import type { MakingLease, StoredVariant, VariantKey } from '../../../lib/cache/store.ts'
import { MediaError } from '../../../lib/errors.ts'
import { Deriver, type Made, type MakeOptions, type Workers } from '../../../lib/image/deriver.ts'
import type { ImageJob, ImageResult, JobInput } from '../../../lib/image/job.ts'
import { isPlain } from '../../../lib/image/refusals.ts'
import { variantOf, type Ingredients, type Variant } from '../../../lib/image/variant.ts'
import { WorkQueue } from '../../../lib/image/work-queue.ts'
import { RepresentationChanged, type Representation } from '../../../lib/representation.ts'
import type { FoundFile } from '../../../lib/sources/source.ts'
import { canonical } from '../../../lib/transform/transform.ts'

type Work = (job: ImageJob, inputs: readonly JobInput[], signal: AbortSignal) => Promise<ImageResult>

const limits = { inputPixels: 1e6, outputPixels: 1e6, framePixels: 1e6, dimension: 4096, inputs: ['jpeg'] as const }
const making: Omit<MakeOptions, 'from'> = { lane: '/', inputBytes: 1000 }

/** A deriver whose workers are the test's own, so that they can be counted and held up. */
function deriver (work: Work = async () => ({ bytes: Buffer.from('made'), facts: {} }), options: { hostileMs?: number, store?: MemoryStore, generation?: string } = {}): { deriver: Pick<Deriver, 'atHand' | 'kept' | 'settled' | 'written'> & { made: (variant: Variant & { from: Ingredients }, options: Omit<MakeOptions, 'from'>) => Promise<Made> }, jobs: ImageJob[], inputs: Array<readonly JobInput[]>, store: MemoryStore } {
  const jobs: ImageJob[] = []
  const inputs: Array<readonly JobInput[]> = []
  const workers: Workers = {
    async run (job, given, { signal }) {
      jobs.push(job)
      inputs.push(given)
      return await work(job, given, signal)
    }
  }
  const store = options.store ?? new MemoryStore()
  const real = new Deriver({ workers, queue: new WorkQueue({ concurrency: 2 }), store, purges: { generationOf: () => options.generation ?? '' }, hostileMs: options.hostileMs ?? 60_000, workerBytes: 100_000_000 })
  return {
    deriver: {
      made: async (variant, options) => await real.made(variant, { ...options, from: variant.from }),
      atHand: key => real.atHand(key),
      kept: key => real.kept(key),
      written: async key => await real.written(key),
      settled: async () => await real.settled()
    },
    jobs,
    inputs,
    store
  }
}

function original (path = '/cat.jpg', representation: Partial<Representation> = {}, revision = 'r1'): FoundFile {
  return { kind: 'file', revision, changed: 0, representation: { type: 'image/jpeg', size: 100, entityTag: `"${path}"`, open: () => Buffer.from('original'), ...representation } }
}

function variant (w: number, options: { found?: FoundFile, q?: 'auto', generation?: string, overlay?: FoundFile, facts?: object } = {}): Variant & { from: Ingredients } {
  const { found = original(), q, generation = '', overlay } = options
  const from = { original: found, overlay }
  return { ...variantOf({ path: '/cat.jpg', tags: ['original:/cat.jpg'], facts: { format: 'jpeg', alpha: false, width: 400, height: 300, ...options.facts }, generation }, from, { transform: canonical({ w, ...(q === undefined ? {} : { q }) }), format: 'webp', limits }), from }
}

t.test('the name of a variant holds all that makes its bytes', t => {
  const one = variant(100)
  t.match(one.key, /^[\w-]{43}$/)
  t.equal(variant(100).key, one.key)
  const others = [variant(101), variant(100, { found: original('/other.jpg') }), variant(100, { found: original('/cat.jpg', {}, 'r2') }), variant(100, { generation: '1' }), variant(100, { q: 'auto' }), variant(100, { overlay: original('/logo.png') })]
  t.equal(new Set([one, ...others].map(({ key }) => key)).size, others.length + 1)
  t.equal(variant(100, { found: original('/cat.jpg', {}, 'r2') }).entityTag, one.entityTag, 'machines that hold the same original agree on the tag')
  t.not(variant(100, { generation: '1' }).entityTag, one.entityTag, 'a purge changes it')
  t.not(variant(100, { found: { ...original(), changed: Date.now() } }).key, one.key, 'an original that was just written may change without a trace')
  t.equal(variant(100, { found: original('/cat.jpg', { entityTag: undefined }) }).entityTag, variant(100, { found: original('/cat.jpg', { entityTag: undefined }) }).entityTag)
  t.not(variant(100, { found: original('/cat.jpg', { entityTag: 'W/"a"', lastModified: 1 }) }).entityTag, variant(100, { found: original('/cat.jpg', { entityTag: 'W/"a"', lastModified: 2 }) }).entityTag, 'a weak tag alone does not tell')
  t.end()
})

t.test('quality means the same in each format that is negotiated, and what it says where one is asked for', t => {
  const job = (values: object, format: 'avif' | 'webp' | 'png'): unknown => (variantOf({ path: '/cat.jpg', tags: [], facts: { format: 'jpeg', alpha: false }, generation: '' }, { original: original() }, { transform: canonical(values), format, limits }).job as { transform: unknown }).transform
  t.strictSame([1, 40, 80, 90, 100].map(q => job({ f: 'auto', q }, 'avif')), [{ q: 1 }, { q: 26 }, { q: 52 }, { q: 76 }, { q: 100 }])
  t.strictSame(job({ f: 'auto', q: 80 }, 'webp'), { q: 80 })
  t.strictSame(job({ f: 'avif', q: 80 }, 'avif'), { q: 80 })
  t.strictSame(job({ f: 'auto', q: 'auto' }, 'avif'), { q: 'auto' })
  t.strictSame(job({ f: 'auto', q: 80, lossless: true, chromasub: '444', progressive: true, animated: false }, 'png'), { progressive: true }, 'what a format has no use of makes no other variant')
  t.end()
})

t.test('what is asked for at once is made once, and then kept', async t => {
  const { deriver: it, jobs } = deriver()
  const answers = await Promise.all(Array.from({ length: 50 }, async () => await it.made(variant(100), making)))
  t.ok(answers.every(({ outcome, stored }) => outcome === 'made' && stored.bytes?.toString() === 'made' && stored.size === 4))
  t.match(await answers[0]?.stored.open({ start: 1, end: 2 }), Buffer.from('ad'))
  t.match(await answers[0]?.stored.open(), Buffer.from('made'))
  await it.settled()
  t.match(await it.made(variant(100), making), { outcome: 'hit-memory' })
  t.match(it.kept(variant(100).key), { size: 4, type: 'image/webp', tags: ['original:/cat.jpg'] })
  t.equal(it.atHand(variant(100).key), it.kept(variant(100).key))
  t.equal(jobs.length, 1)
})

t.test('what was purged while it was made is given to who waits, and not kept', async t => {
  const { deriver: it } = deriver(undefined, { generation: 'later' })
  t.match(await it.made(variant(100), making), { outcome: 'made' })
  t.equal(it.kept(variant(100).key), undefined)
})

t.test('when the last has left, the work stops; until then it goes on', async t => {
  const stopped: unknown[] = []
  const { deriver: it, jobs } = deriver(async (_job, _inputs, signal) => {
    await wait(5000, undefined, { signal }).catch(() => { stopped.push(signal.reason) })
    throw signal.reason
  })
  const [one, two] = [new AbortController(), new AbortController()]
  const asking = [one, two].map(async ({ signal }) => await it.made(variant(100), { ...making, signal }))
  await wait(20)
  one.abort(new Error('left'))
  await t.rejects(asking[0] as Promise<unknown>, { message: 'left' })
  await wait(20)
  t.equal(stopped.length, 0, 'one still waits')
  two.abort(new Error('left too'))
  await t.rejects(asking[1] as Promise<unknown>, { message: 'left too' })
  await wait(20)
  t.equal(stopped.length, 1)
  t.equal(jobs.length, 1)
})

t.test('an original that ended its worker is refused for a while, in every size', async t => {
  const { deriver: it, jobs } = deriver(async () => { throw new MediaError('image-too-costly', { detail: 'It took more than 10 s' }) }, { hostileMs: 80 })
  await t.rejects(it.made(variant(100), making), { code: 'image-too-costly' })
  await t.rejects(it.made(variant(200), making), { code: 'image-too-costly', statusCode: 422, detail: 'It took more than 10 s' })
  t.equal(jobs.length, 1, 'without a worker')
  await t.rejects(it.made(variant(200, { found: original('/cat.jpg', {}, 'r2') }), making), { code: 'image-too-costly' })
  t.equal(jobs.length, 2, 'a changed original is another')
  await wait(100)
  await t.rejects(it.made(variant(100), making))
  t.equal(jobs.length, 3, 'after that it may try again')
})

t.test('a sound original is not refused for what one asks of it', async t => {
  const { deriver: it, jobs } = deriver(async job => {
    if (job.kind === 'variant' && (job.transform.blur ?? 0) > 0) throw new MediaError('image-too-costly')
    return { bytes: Buffer.from('made'), facts: {} }
  })
  const costly = (blur: number): ReturnType<typeof variant> => {
    const from = { original: original() }
    return { ...variantOf({ path: '/cat.jpg', tags: ['original:/cat.jpg'], facts: { format: 'jpeg', alpha: false }, generation: '' }, from, { transform: canonical({ w: 100, blur }), format: 'webp', limits }), from }
  }
  for (const blur of [1, 2, 3, 4, 5]) await t.rejects(it.made(costly(blur), making), { code: 'image-too-costly' })
  t.match(await it.made(variant(100), making), { outcome: 'made' })
  await t.rejects(it.made(costly(1), making), { code: 'image-too-costly' })
  t.equal(jobs.length, 6, 'what was asked is')
})

t.test('what is large speaks of what is asked, what is small of the original', t => {
  const job = (values: object): ImageJob => ({ kind: 'variant', transform: canonical(values), format: 'webp', limits })
  t.ok(isPlain({ kind: 'info', gps: false, limits }))
  for (const values of [{ w: 320 }, { w: 1024, h: 200, fit: 'cover', position: 'attention', q: 60 }]) t.ok(isPlain(job(values)), JSON.stringify(values))
  for (const values of [{}, { w: 1025 }, { w: 100, blur: 5 }, { w: 100, rot: 30, trim: 'auto' }, { w: 100, effort: 6 }]) t.notOk(isPlain(job(values)), JSON.stringify(values))
  t.end()
})

t.test('who waits is not held up by what nobody waits for', async t => {
  const { deriver: it, jobs } = deriver(async (_job, _inputs, signal) => {
    await wait(10, undefined, { signal })
    return { bytes: Buffer.from('made'), facts: {} }
  })
  const [later, now] = await Promise.all([it.made(variant(100), { ...making, priority: 'background' }), it.made(variant(100), making)])
  t.match([later.outcome, now.outcome], ['made', 'made'])
  t.equal(jobs.length, 2, 'rather twice than too late')
})

t.test('what was made is there as it is kept', async t => {
  const { deriver: it } = deriver()
  await it.made(variant(100), making)
  t.match(await it.written(variant(100).key), { tier: 'memory', size: 4 })
})

t.test('that its facts could be told does not speak for an original', async t => {
  const { deriver: it, jobs } = deriver(async job => {
    if (job.kind === 'variant') throw new MediaError('image-too-costly')
    return { bytes: Buffer.from('{}'), facts: {} }
  })
  const from = { original: original() }
  const info = { ...variantOf({ path: '/cat.jpg', tags: ['original:/cat.jpg'], facts: { format: 'jpeg', alpha: false }, generation: '' }, from, { transform: canonical({}), format: 'json', limits }), from }
  await it.made(info, making)
  await t.rejects(it.made(variant(200), making), { code: 'image-too-costly' })
  await t.rejects(it.made(variant(300), making), { code: 'image-too-costly' })
  t.equal(jobs.length, 2)
})

t.test('what is known to take more memory than a worker has is not tried', async t => {
  const { deriver: it, jobs } = deriver()
  await t.rejects(it.made(variant(100, { facts: { format: 'avif', width: 4000, height: 4000 } }), making), { code: 'image-too-costly', detail: /memory/ })
  t.equal(jobs.length, 0)
})

t.test('an original that changed meanwhile is looked at again', async t => {
  let outdated = 0
  const { deriver: it } = deriver(async () => { throw new RepresentationChanged('it') })
  await t.rejects(it.made(variant(100, { found: original('/a', { outdated: () => { outdated++ } }), overlay: original('/logo', { outdated: () => { outdated++ } }) }), making), RepresentationChanged)
  t.equal(outdated, 2)
})

t.test('what all workers together had no room for is made alone', async t => {
  let tries = 0
  const { deriver: it } = deriver(async () => {
    tries++
    if (tries < 2) throw new MediaError('busy')
    return { bytes: Buffer.from('made'), facts: {} }
  })
  t.match(await it.made(variant(100), making), { outcome: 'made' })
  t.equal(tries, 2)
  tries = -10
  await t.rejects(it.made(variant(200), making), { code: 'busy', statusCode: 503 }, 'or told to come again')
})

t.test('what fails is told to all who wait, and tried again by the next', async t => {
  let fails = true
  const { deriver: it, jobs } = deriver(async () => {
    if (fails) throw new MediaError('unavailable')
    return { bytes: Buffer.alloc(0), facts: {} }
  })
  const results = await Promise.allSettled([it.made(variant(100), making), it.made(variant(100), making)])
  t.ok(results.every(({ status }) => status === 'rejected'))
  fails = false
  t.match(await it.made(variant(100), making), { outcome: 'made', stored: { size: 0 } })
  t.equal(jobs.length, 2)
})

t.test('what cannot be made is not tried again for a while; other variants are', async t => {
  const { deriver: it, jobs } = deriver(async job => {
    if (job.kind === 'variant' && job.transform.w === 100) throw new MediaError('broken-image', { detail: 'truncated' })
    return { bytes: Buffer.from('made'), facts: {} }
  }, { hostileMs: 80 })
  for (let tries = 0; tries < 3; tries++) await t.rejects(it.made(variant(100), making), { code: 'broken-image', detail: 'truncated' })
  t.equal(jobs.length, 1)
  t.match(await it.made(variant(200), making), { outcome: 'made' })
  await wait(100)
  await t.rejects(it.made(variant(100), making), { code: 'broken-image' })
  t.equal(jobs.length, 3)
})

t.test('an original of too many bytes is refused before anything is opened', async t => {
  const { deriver: it, jobs } = deriver()
  await t.rejects(it.made(variant(100, { found: original('/cat.jpg', { size: 1001 }) }), making), { code: 'image-too-large', detail: /1000 bytes/ })
  t.match(await it.made(variant(100, { found: original('/cat.jpg', { size: undefined }) }), making), { outcome: 'made' }, 'where nobody knows, the worker counts')
  t.equal(jobs.length, 1)
})

t.test('the worker gets the file itself, the bytes in memory, or a stream: whatever is there', async t => {
  const { deriver: it, inputs } = deriver()
  const stored = { path: '/x', revision: 'r', size: 1, changed: 0 }
  const stream = Readable.from([])
  await it.made(variant(1, { found: original('/a', { stored }) }), making)
  await it.made(variant(2, { found: original('/a', { bytes: Buffer.from('kept') }) }), making)
  await it.made(variant(3, { found: original('/a', { open: () => stream }), overlay: original('/logo.png', { stored }) }), making)
  t.strictSame(inputs.map(given => given.map(input => Buffer.isBuffer(input) ? input.toString() : input)), [[stored], ['kept'], [stream, stored]])
})

t.test('the quality that was found is kept beside the bytes, and one transform decides of no other', async t => {
  const { deriver: it, jobs } = deriver(async () => ({ bytes: Buffer.from('made'), facts: { quality: 61 } }))
  await it.made(variant(100, { q: 'auto' }), making)
  t.match(it.kept(variant(100, { q: 'auto' }).key), { quality: 61 })
  await it.made(variant(100, { q: 'auto', found: original('/cat.jpg', {}, 'r2') }), making)
  t.strictSame(jobs[1], jobs[0], 'whoever asked before')
})

t.test('a picture whose size nobody knows counts all the same', async t => {
  const { deriver: it } = deriver()
  t.match(await it.made(variant(100, { facts: { width: undefined, height: undefined } }), making), { outcome: 'made' })
})

/** A store that instances share, where another may make the same. */
class SharedStore extends MemoryStore {
  claimed: MakingLease | StoredVariant | undefined
  async claim (): Promise<MakingLease | StoredVariant | undefined> {
    return this.claimed
  }
}

t.test('what another instance makes is waited for; a lease is given back when the variant is kept, or will not be', async t => {
  const store = new SharedStore()
  let released = 0
  let fails = false
  const { deriver: it, jobs } = deriver(async () => {
    if (fails) throw new MediaError('broken-image')
    return { bytes: Buffer.from('made'), facts: {} }
  }, { store })
  store.claimed = { release: async () => { released++ } }
  await it.made(variant(100), making)
  await it.settled()
  await wait(5)
  t.equal(released, 1)
  fails = true
  await t.rejects(it.made(variant(200), making))
  await wait(5)
  t.equal(released, 2)
  store.claimed = { type: 'image/webp', tags: [], size: 5, tier: 'redis', bytes: Buffer.from('there'), open: async () => Buffer.from('there') }
  t.match(await it.made(variant(300), making), { outcome: 'hit-redis', stored: { size: 5 } })
  t.equal(jobs.length, 2)
  t.type(it.kept('x'.repeat(43) as VariantKey), 'undefined')
})
