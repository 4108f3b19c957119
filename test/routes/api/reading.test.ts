import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { apiFiles, apiOptions, as, json, post, serveApi, url } from '../../helpers/api.ts'
import { ask, serveMedia, type Served } from '../../helpers/app.ts'
import { origin } from '../../helpers/origin.ts'

interface Page { path: string, entries: Array<{ name: string, path: string, url: string, kind: string }>, next?: string, truncated?: boolean }

const page = async (served: Served, query: Record<string, string | number>): Promise<Page> => json(await ask(served, url('list', query), as('editor'))) as unknown as Page
const names = ({ entries }: Page): string[] => entries.map(({ name }) => name)

t.test('a directory is listed page by page, by its cursors and by Link, each member once', async t => {
  const served = await serveApi(t)
  const all = names(await page(served, { path: '/photos/' }))
  t.strictSame(all, ['2026', 'broken.png', 'cat.png', 'dog.png', 'note.txt'])
  for (const limit of [1, 2, 3, 5, 6]) {
    const seen: string[] = []
    let next: string | undefined
    do {
      const part = await page(served, { path: '/photos', limit, ...next === undefined ? {} : { cursor: next } })
      seen.push(...names(part))
      t.ok(part.entries.length <= limit)
      next = part.next
    } while (next !== undefined)
    t.strictSame(seen, all, `by ${limit}`)
  }
  const walked: string[] = []
  let at: string | undefined = url('list', { path: '/photos/', limit: 2 })
  while (at !== undefined) {
    const answer = await ask(served, at, as('editor'))
    walked.push(...names(json(answer) as unknown as Page))
    const [, link] = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link ?? '')) ?? []
    at = link === undefined ? undefined : new URL(link, `http://h${at}`).href.slice('http://h'.length)
  }
  t.strictSame(walked, all)
})

t.test('a cursor holds while files come and go around it', async t => {
  const files = await apiFiles(t)
  const served = await serveMedia(t, apiOptions(files))
  const { next = '' } = await page(served, { path: '/photos/', limit: 3 })
  await writeFile(join(files.photos, 'aa.txt'), '')
  await writeFile(join(files.photos, 'ab.txt'), '')
  await writeFile(join(files.photos, 'ea.txt'), '')
  t.strictSame(names(await page(served, { path: '/photos/', limit: 3, cursor: next })), ['dog.png', 'ea.txt', 'note.txt'], 'before it and behind it')
  await rm(join(files.photos, 'cat.png'))
  t.strictSame(names(await page(served, { path: '/photos/', limit: 3, cursor: next })), ['dog.png', 'ea.txt', 'note.txt'], 'its own member, too')
  for (const name of ['aa.txt', 'ab.txt', 'broken.png', 'dog.png', 'ea.txt', 'note.txt']) await rm(join(files.photos, name))
  t.match(await page(served, { path: '/photos/', limit: 3, cursor: next }), { entries: { length: 0 }, next: undefined })
})

t.test('members that cannot be read are left out, and leave no page short', async t => {
  const files = await apiFiles(t)
  for (let number = 0; number < 10; number++) {
    await symlink('nowhere', join(files.open, `a${number}`))
    await writeFile(join(files.open, `b${number}`), '')
  }
  const served = await serveMedia(t, apiOptions(files))
  const first = await page(served, { path: '/open/', limit: 4 })
  t.strictSame(names(first), ['b0', 'b1', 'b2', 'b3'])
  t.strictSame(names(await page(served, { path: '/open/', limit: 4, cursor: first.next ?? '' })), ['b4', 'b5', 'b6', 'b7'])
})

t.test('what is told of members leads to them', async t => {
  const files = await apiFiles(t)
  await mkdir(join(files.photos, 'a b&c'))
  await writeFile(join(files.photos, 'a b&c', '100% \u00e9.txt'), 'so')
  const served = await serveMedia(t, apiOptions(files))
  const top = await page(served, { path: '/photos/' })
  const folder = top.entries.find(({ name }) => name === 'a b&c')
  t.match(folder, { path: '/photos/a b&c/', url: '/photos/a%20b%26c/', kind: 'directory' })
  const [file] = (await page(served, { path: folder?.path ?? '' })).entries
  t.match(file, { path: '/photos/a b&c/100% \u00e9.txt', kind: 'file', type: 'text/plain; charset=utf-8', size: 2, lastModified: /^\d{4}-.*Z$/ })
  t.match(await ask(served, file?.url ?? '', as('editor')), { status: 200, text: 'so' })
  const told = json(await ask(served, url('stat', { path: file?.path ?? '' }), as('editor')))
  t.match(told, { path: file?.path, url: file?.url, size: 2 })
  t.equal(told.entityTag, (await ask(served, file?.url ?? '', as('editor'))).headers.etag, 'the tag is that of the file')
  t.match(json(await ask(served, url('stat', { path: '/photos/a b&c' }), as('editor'))), { path: '/photos/a b&c/', kind: 'directory', size: undefined })
  t.match(json(await ask(served, url('stat', { path: '/photos' }), as('editor'))), { path: '/photos/', kind: 'directory' })
})

t.test('URLs are whole where it is known how clients come, and those of the app where it has a prefix', async t => {
  const options = apiOptions(await apiFiles(t), { publicUrl: 'https://media.example.com' })
  const served = await serveMedia(t, options, { prefix: '/site' })
  const get = async (operation: string, path: string) => json(await ask(served, `/site${url(operation, { path })}`, as('editor')))
  t.match(await get('stat', '/site/photos/note.txt'), { path: '/site/photos/note.txt', url: 'https://media.example.com/site/photos/note.txt' })
  t.match(await get('stat', '/photos/note.txt'), { status: 404 })
  t.match(await get('list', '/site/photos/'), { entries: [{ url: 'https://media.example.com/site/photos/2026/' }] })
  t.match(json(await ask(served, '/site/api/v1/mounts', as('editor'))), { mounts: [{ prefix: '/site/open' }, { prefix: '/site/photos' }] })
  t.match(json(await ask(served, '/site/api/v1/openapi.json', as('editor'))), { servers: [{ url: 'https://media.example.com/site/api/v1' }], paths: { '/mounts': {} } })
  const signed = json(await ask(served, '/site/api/v1/sign', { method: 'POST', headers: { 'content-type': 'application/json', ...as('editor').headers }, body: JSON.stringify({ path: '/site/_ipx/w_3/photos/cat.png' }) }))
  t.match(signed.url, /^https:\/\/media\.example\.com\/site\/_ipx\/w_3\/photos\/cat\.png\?sig=/)
  t.equal((await ask(served, String(signed.url).slice('https://media.example.com'.length))).status, 200)
  const purged = await ask(served, '/site/api/v1/purge', { method: 'POST', headers: { 'content-type': 'application/json', ...as('editor').headers }, body: '{"what":"https://media.example.com/site/photos/"}' })
  t.match(json(purged), { tag: 'prefix:/site/photos/' })
})

t.test('what a picture is, is told as the mount tells it, or not at all', async t => {
  const files = await apiFiles(t)
  const served = await serveMedia(t, apiOptions(files, { mounts: [
    { prefix: '/silent', source: 'photos', images: { info: false } },
    { prefix: '/signed', source: 'photos', images: { mode: 'signed' } },
    { prefix: '/presets', source: 'photos', images: { mode: 'presets', presets: { small: 'w=3' } } }
  ] }))
  const info = async (path: string) => await ask(served, url('info', { path }), as('editor'))
  const told = await info('/photos/cat.png')
  t.match(told, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
  t.match(json(told), { format: 'png', width: 24, height: 16, frames: 1, orientation: 1 })
  t.equal(told.headers.etag, (await ask(served, '/photos/cat.png?info', as('editor'))).headers.etag, 'it is made once')
  t.match(await info('/silent/cat.png'), { status: 403, text: /does not tell/ })
  t.match(await info('/signed/cat.png'), { status: 403, text: /signed URLs alone/ })
  t.match(await info('/open/hello.txt'), { status: 415 })
  t.match(await info('/photos/2026'), { status: 404 })
  t.match(await info('/photos/cat.png/'), { status: 404 })
})

t.test('of mounts whose files another server has, nothing is looked at here; they are shown, purged and signed for', async t => {
  const far = await origin(t, (_request, response) => { response.end('far') })
  const rules = { read: ['machines', 'links'], write: ['machines'] }
  const options = apiOptions(await apiFiles(t), { upstreams: { far: { origins: [{ url: far.url }] } }, mounts: [
    { prefix: '/cdn', delivery: 'proxy', upstream: 'far', access: rules },
    { prefix: '/app', delivery: 'gateway', upstream: 'far' },
    { prefix: '/remote', source: 'remote', access: rules }
  ] })
  const { machines } = structuredClone(options.strategies) as unknown as { machines: { keys: Array<{ mounts: string[] }> } }
  for (const key of machines.keys) key.mounts = []
  const sources = { ...options.sources, remote: { driver: 'remote', allow: ['https://example.com'] } }
  const served = await serveMedia(t, { ...options, sources, strategies: { ...options.strategies, machines } } as never)
  t.match(json(await ask(served, '/api/v1/mounts', as('editor'))).mounts, [{ prefix: '/app', delivery: 'gateway', variants: false }, { prefix: '/cdn', delivery: 'proxy', permission: 'read', variants: false }, { prefix: '/open' }, { prefix: '/photos', variants: true }, { prefix: '/remote' }])
  for (const path of ['/cdn/a.txt', '/cdn/', '/app/a', '/remote/a.jpg']) for (const operation of ['stat', 'list', 'info']) t.equal((await ask(served, url(operation, { path }), as('editor'))).status, 404, `${operation} ${path}`)
  t.equal((await ask(served, url('file', { path: '/cdn/a.txt' }), { method: 'PUT', body: 'x', ...as('editor') })).status, 403)
  t.match(json(await post(served, '/purge', { what: '/cdn/' }, as('editor'))), { tag: 'prefix:/cdn/' })
  t.equal((await post(served, '/purge', { what: '/app/' }, as('editor'))).status, 403, 'a gateway without rules is its origin\'s')
  const { url: signed } = json(await post(served, '/sign', { path: '/cdn/a.txt?x=1' }, as('editor')))
  t.match(await ask(served, String(signed)), { status: 200, text: 'far' })
  t.equal(far.requests.length, 1)
})
