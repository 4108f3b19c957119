import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { warm, type WarmChoices, type WarmCounts, type WarmNews } from '../../lib/warm.ts'
import { ask, scratch, serveMedia, type Test } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'

t.setTimeout(120_000)

const pictures = await picturesToServe()

interface Site {
  configuration: Parameters<typeof warm>[0]
  cache: string
  /** Runs it, with the news. */
  warm: (choices?: Partial<WarmChoices>) => Promise<WarmCounts & { news: WarmNews[] }>
}

/** A configuration of one mount, and a cache. */
async function site (t: Test, images: Record<string, unknown>, { files = pictures, ...rest }: Record<string, unknown> = {}): Promise<Site> {
  const root = await scratch(t, files as typeof pictures)
  await wait(60) // files that were just written may change without a trace, and have variants of their own
  const cache = await scratch(t)
  const configuration = {
    sources: { files: { driver: 'file' as const, root } },
    mounts: [{ prefix: '/photos', source: 'files', images }],
    images: { workers: 1, cache: { directory: cache } },
    ...rest
  } as Site['configuration']
  return {
    configuration,
    cache,
    async warm (choices = {}) {
      const news: WarmNews[] = []
      const counts = await warm(configuration, { base: root, onNews: one => news.push(one), ...choices })
      return { ...counts, news }
    }
  }
}

const accepts = ['image/avif,image/webp,*/*', 'image/webp,*/*', '*/*']
const presets = { card: 'w=64&f=auto', small: 'w=32' }

t.test('what was made is what a server then serves, for whatever Accept: the first request is a hit', async t => {
  const { configuration, cache, warm } = await site(t, { presets })
  const { made, there, failed, 'no-picture': others } = await warm()
  // cat and drawing: AVIF, WebP, JPEG and the own kind; logo the same with PNG; film: WebP, GIF, and its own kind.
  t.match({ made, there, failed, others }, { made: 15, there: 0, failed: 4, others: 1 })
  const server = await serveMedia(t, configuration)
  const directory = await scratch(t)
  await cp(join(cache, 'purges'), join(directory, 'purges'), { recursive: true }) // the same purges, but no variants
  const fresh = await serveMedia(t, { ...configuration, images: { cache: { directory } } })
  const types = new Set<string>()
  for (const name of ['cat.jpg', 'logo.png', 'film.gif', 'drawing.svg']) {
    for (const accept of accepts) {
      for (const preset of Object.keys(presets)) {
        const path = `/photos/${name}?preset=${preset}`
        const { headers, status, body } = await ask(server, path, { headers: { accept } })
        const other = await ask(fresh, path, { headers: { accept } })
        t.match([status, headers['x-cache']], [200, /^hit-/], `${path} for ${accept}`)
        t.equal(headers.etag, other.headers.etag)
        t.same(body, other.body)
        types.add(headers['content-type'] ?? '')
      }
    }
  }
  t.same([...types].toSorted(), ['image/avif', 'image/gif', 'image/jpeg', 'image/png', 'image/webp'])
})

t.test('run again, it makes nothing that is there, and what is new', async t => {
  const { warm } = await site(t, { presets: { small: 'w=32' } }, { files: { 'a.png': pictures['logo.png'], 'b.png': pictures['logo.png'] } })
  t.match(await warm(), { made: 2, there: 0 })
  t.match(await warm(), { made: 0, there: 2 })
  t.match(await warm({ queries: ['w=48'] }), { made: 2, there: 0 })
  t.match(await warm({ presets: ['small'], queries: ['?w=48'] }), { made: 0, there: 4 })
})

t.test('a path that is written with escapes, a mount at the root and a prefix of the host make no difference', async t => {
  const files = { 'my cat 100%.png': pictures['logo.png'], 'Küche/日本 #1?.png': pictures['logo.png'] }
  const { configuration, warm } = await site(t, {}, { files, mounts: [{ source: 'files', images: { presets: { small: 'w=32' } } }] })
  t.match(await warm({ prefix: '/media/' }), { made: 2, failed: 0 })
  const hosted = await serveMedia(t, configuration, { prefix: '/media' })
  t.match((await ask(hosted, '/media/my%20cat%20100%25.png?preset=small')).headers, { 'x-cache': 'hit-disk' })
  t.match(await warm(), { made: 2 }, 'elsewhere they are others')
  const alone = await serveMedia(t, configuration)
  t.match((await ask(alone, '/K%C3%BCche/%E6%97%A5%E6%9C%AC%20%231%3F.png?preset=small')).headers, { 'x-cache': 'hit-disk' })
  t.match((await ask(alone, '/_ipx/w_32/my%20cat%20100%25.png')).headers, { 'x-cache': 'hit-disk' }, 'nor does the grammar')
})

t.test('what the mount hides is not made, and files are told apart by content', async t => {
  const files = { '.hidden.png': pictures['logo.png'], 'logo.txt': pictures['logo.png'], 'text.png': 'no picture', 'empty.png': '' }
  const { warm } = await site(t, { presets: { small: 'w=32' } }, { files })
  const { news, ...counts } = await warm()
  t.same(counts, { made: 1, there: 0, failed: 0, picture: 1, 'no-picture': 2 })
  t.same(news.filter(({ kind }) => kind === 'made'), [{ kind: 'made', path: '/photos/logo.txt' }])
})

t.test('a broken picture fails with its reason, and the rest is made', async t => {
  const { warm } = await site(t, { presets: { small: 'w=32' } }, { files: { 'a.jpg': pictures['broken.jpg'], 'b.png': pictures['logo.png'] } })
  const { news, made, failed } = await warm()
  t.same({ made, failed }, { made: 1, failed: 1 })
  t.match(news.find(({ kind }) => kind === 'failed'), { path: '/photos/a.jpg', error: { code: 'broken-image' }, isNew: true })
})

t.test('the total of files is told beside the work', async t => {
  const { warm } = await site(t, { presets: { small: 'w=32' } })
  const total = await new Promise<number>((resolve, reject) => { warm({ onTotal: resolve }).catch(reject) })
  t.equal(total, Object.keys(pictures).length)
})

t.test('what cannot be made by any URL of the mount is refused before the walk', async t => {
  const { warm, cache } = await site(t, { presets: { card: 'w=64' } })
  for (const [choices, refusal] of [
    [{ queries: ['w=abc'] }, { code: 'bad-transform', message: /^w=abc at \/photos: w: Expected/ }],
    [{ queries: ['w=32&wdith=2'] }, { code: 'bad-transform', message: /wdith.*Did you mean/ }],
    [{ queries: ['preset=crad'] }, { code: 'bad-transform', message: /crad/ }],
    [{ queries: [''] }, { code: 'bad-transform', message: /asks for nothing/ }],
    [{ queries: ['txt=hello'] }, { code: 'bad-transform', message: /txt/ }],
    [{ presets: ['crad'] }, { code: 'not-found', message: 'There is no preset crad. Did you mean card?' }],
    [{ mount: '/photo' }, { code: 'not-found', message: 'There is no mount /photo that makes variants. Did you mean /photos?' }]
  ] as const) await t.rejects(warm(choices), refusal, JSON.stringify(choices))
  t.same(await readdir(cache), [], 'the cache was not opened')
  await t.rejects((await site(t, {})).warm(), { code: 'not-found', message: /no presets/ })
  await t.rejects((await site(t, { mode: 'off' })).warm({ queries: ['w=32'] }), { code: 'not-found' })
  await t.rejects((await site(t, { presets }, { images: { cache: { diskBytes: 0 } } })).warm(), { code: 'not-found', message: /diskBytes/ })
  await t.rejects((await site(t, { info: false })).warm({ queries: ['info'] }), { code: 'forbidden' })
  await t.rejects((await site(t, {}, { mounts: [{}] })).warm(), { name: 'ConfigError' })
})

t.test('of several mounts the one that is named, or all that have what is asked for', async t => {
  const mounts = [
    { prefix: '/a', source: 'files', images: { presets: { card: 'w=64' } } },
    { prefix: '/b/', source: 'files', images: { presets: { small: 'w=32' } } },
    { prefix: '/c', source: 'files' },
    { prefix: '/d', source: 'files', images: { mode: 'off' } }
  ]
  const made = async (choices: Partial<WarmChoices>): Promise<string[]> => {
    const { news } = await (await site(t, {}, { mounts, files: { 'a.png': pictures['logo.png'] } })).warm(choices)
    return news.filter(({ kind }) => kind === 'made').map(({ path }) => path).toSorted()
  }
  t.same(await made({}), ['/a/a.png', '/b/a.png'])
  t.same(await made({ presets: ['small'] }), ['/b/a.png'])
  t.same(await made({ mount: '/b/' }), ['/b/a.png'])
  t.same(await made({ queries: ['w=48'] }), ['/a/a.png', '/b/a.png', '/c/a.png'])
})

t.test('where the cache cannot be written it ends, and says why', async t => {
  const directory = join(await scratch(t, { 'a.txt': '' }), 'a.txt')
  const { warm } = await site(t, { presets: { a: 'w=32', b: 'w=40', c: 'w=48' } }, { files: { 'a.png': pictures['logo.png'] }, images: { workers: 2, cache: { directory } } })
  const faults: string[] = []
  const log = { warn: (facts: object, message: string) => { faults.push(`${message}: ${(facts as { err: Error }).err.message}`) } }
  await t.rejects(warm({ log }), { code: 'unavailable' })
  t.match(faults[0], /variant cache failed: The cache directory cannot be used/)
})
