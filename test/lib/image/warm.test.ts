import t from 'tap'
import { StoreFault, type VariantKey } from '../../../lib/cache/store.ts'
import { MediaError } from '../../../lib/errors.ts'
import type { Makeable } from '../../../lib/image/variant.ts'
import { warmMounts, type WarmMount, type WarmNews } from '../../../lib/image/warm.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Found, Source } from '../../../lib/sources/source.ts'

interface Choices {
  files?: string[]
  stat?: (key: Key) => Promise<Found | undefined>
  /** Names of variants of a file. */
  variants?: (path: string, place: number) => Promise<string[]>
  keep?: (key: string, signal: AbortSignal) => Promise<'made' | 'there'>
  asked?: number
}

const found: Found = { kind: 'file', revision: '1', changed: 0, representation: { type: 'image/png', open: () => Buffer.alloc(0) } }

/** A mount of files in one directory whose variants are made by the test. */
function mountOf ({ files = ['a.png'], stat = async () => found, variants = async path => [path], keep = async () => 'made', asked = 1 }: Choices): WarmMount {
  const source: Source = {
    stat,
    list: async () => ({ entries: files.map(name => ({ name, kind: 'file' })), truncated: false }),
    async close () {}
  }
  return {
    prefix: '/p',
    source,
    asked: Array.from({ length: asked }, (_, place) => ({ values: { w: place + 1 }, info: false })),
    images: {
      variants: async ({ path, asked: { values } }) => (await variants(path, (values.w as number) - 1)).map(name => ({ variant: { key: name as VariantKey } }) as Makeable),
      keep: async ({ variant }, signal) => await keep(variant.key, signal)
    }
  }
}

async function warm (mounts: WarmMount[], { concurrency = 2, signal = new AbortController().signal } = {}): Promise<string[]> {
  const told: string[] = []
  const tell = (news: WarmNews): void => { told.push(`${news.kind} ${news.path}${news.kind === 'failed' ? `: ${news.error.message}${news.isNew ? '' : ' (again)'}` : ''}`) }
  await warmMounts(mounts, { concurrency, signal, tell, retryMs: 1 })
  return told.toSorted()
}

const busy = (): never => { throw new MediaError('busy') }
const unkept = (): never => { throw new StoreFault('not kept') }

t.test('every variant of every file is made once, whatever asked for it, or left where it is there', async t => {
  const kept: string[] = []
  const told = await warm([mountOf({
    files: ['a.png', 'b.png'],
    asked: 2,
    variants: async (path, place) => [`${path} webp`, `${path} ${place}`],
    async keep (key) {
      kept.push(key)
      return key.endsWith('webp') ? 'there' : 'made'
    }
  })])
  t.same(kept.toSorted(), ['/p/a.png 0', '/p/a.png 1', '/p/a.png webp', '/p/b.png 0', '/p/b.png 1', '/p/b.png webp'])
  t.same(told, ['made /p/a.png', 'made /p/a.png', 'made /p/b.png', 'made /p/b.png', 'picture /p/a.png', 'picture /p/b.png', 'there /p/a.png', 'there /p/b.png'])
})

t.test('no more variants are made at once than is said, and the walk does not run ahead of them', async t => {
  let running = 0
  let most = 0
  let described = 0
  let done = 0
  let ahead = 0
  await warm([mountOf({
    files: Array.from({ length: 50 }, (_, n) => `${n}.png`),
    async variants (path) {
      described++
      ahead = Math.max(ahead, described - done)
      return [path]
    },
    async keep () {
      most = Math.max(most, ++running)
      await new Promise(resolve => setTimeout(resolve, 1))
      running--
      done++
      return 'made'
    }
  })], { concurrency: 3 })
  t.equal(most, 3)
  t.equal(done, 50)
  t.ok(ahead <= 4, `${ahead} ahead`)
})

t.test('what is no picture is told once, whether its header tells or the engine', async t => {
  const unsupported = (): never => { throw new MediaError('unsupported-image') }
  t.same(await warm([mountOf({ variants: unsupported })]), ['no-picture /p/a.png'])
  t.same(await warm([mountOf({ variants: async () => ['1', '2'], keep: unsupported })]), ['no-picture /p/a.png', 'picture /p/a.png'])
})

t.test('a failure is told with its reason, the first time as new, and the rest is made', async t => {
  const keep = async (key: string): Promise<'made'> => {
    if (key === '3') return 'made'
    throw new MediaError('broken-image', { detail: 'cut off' })
  }
  t.same(await warm([mountOf({ variants: async () => ['1', '2', '3'], keep })]), ['failed /p/a.png: cut off', 'failed /p/a.png: cut off (again)', 'made /p/a.png', 'picture /p/a.png'])
  // oxlint-disable-next-line no-throw-literal -- whatever is thrown
  t.same(await warm([mountOf({ files: ['a.png', 'b.png'], stat: async key => { if (key === 'a.png') throw 'a word'; return found } })]), ['failed /p/a.png: a word', 'made /p/b.png', 'picture /p/b.png'])
})

t.test('a directory that cannot be listed is a failure', async t => {
  const mount = mountOf({})
  t.same(await warm([{ ...mount, source: { ...mount.source, list: async () => { throw new Error('no permission') } } }]), ['failed /p/: no permission'])
})

t.test('a file that went since it was listed, or became a directory, is passed over', async t => {
  t.same(await warm([mountOf({ stat: async () => undefined })]), [])
  t.same(await warm([mountOf({ stat: async () => ({ kind: 'directory' }) })]), [])
})

t.test('what failed for want of room is tried again, a bounded number of times', async t => {
  for (const refuse of [busy, unkept]) {
    let tries = 0
    t.same(await warm([mountOf({ keep: async () => ++tries < 3 ? refuse() : 'made' })]), ['made /p/a.png', 'picture /p/a.png'])
    tries = 0
    t.match(await warm([mountOf({ keep: async () => { tries++; return refuse() } })]), [/^failed/, /^picture/])
    t.equal(tries, 3)
  }
})

t.test('where the cache keeps nothing it ends, rather than make all in vain', async t => {
  let tries = 0
  const files = Array.from({ length: 100 }, (_, n) => `${n}.png`)
  await t.rejects(warm([mountOf({ files, keep: async () => { tries++; return unkept() } })]), { code: 'unavailable', message: /keeps nothing/ })
  t.ok(tries <= 15, `${tries} tries`)
})

t.test('a variant now and then that the cache does not keep ends nothing', async t => {
  const files = Array.from({ length: 20 }, (_, n) => `${n}.png`)
  const told = await warm([mountOf({ files, keep: async key => Number.parseInt(key.slice(3), 10) % 2 === 0 ? unkept() : 'made' })], { concurrency: 1 })
  t.equal(told.filter(news => news.startsWith('made')).length, 10)
  t.equal(told.filter(news => news.startsWith('failed')).length, 10)
})

t.test('a signal stops it at once: nothing more is begun, and what is under way is told to end', async t => {
  const stop = new AbortController()
  let begun = 0
  const files = Array.from({ length: 100 }, (_, n) => `${n}.png`)
  const keep = async (_key: string, signal: AbortSignal): Promise<'made'> => {
    if (++begun === 4) stop.abort(new Error('enough'))
    if (begun < 4) return 'made'
    return await new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason as Error)
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  }
  await t.rejects(warm([mountOf({ files, keep })], { signal: stop.signal }), { message: 'enough' })
  t.ok(begun <= 5, `${begun} begun`)
})

t.test('a signal ends the wait for another try', async t => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(new Error('enough')), 10)
  await t.rejects(warmMounts([mountOf({ keep: async () => busy() })], { concurrency: 1, signal: stop.signal, tell: () => {}, retryMs: 60_000 }), { message: 'enough' })
})
