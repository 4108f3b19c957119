import t from 'tap'
import { apiFiles, apiOptions, as, json, post, serveApi, strategies, url } from '../helpers/api.ts'
import { ask, serveMedia, type Served } from '../helpers/app.ts'
import { sharedSecret, token } from '../helpers/tokens.ts'

/*
 * Whoever may use the API for something tries to get more by it: by having others' URLs signed, by moving files to
 * where they may read them, by purging what is not theirs, by signing for longer than they are let in themselves.
 */

t.test('nobody can sign what they may not do, nor where no signature is taken', async t => {
  const served = await serveApi(t)
  const sign = async (body: object, caller: Parameters<typeof as>[0] = 'editor') => await post(served, '/sign', body, as(caller))
  for (const path of ['/vault/secret.txt', '/vault/gold.png?w=3', '/_ipx/w_3/vault/gold.png', '/nowhere/x', '/api/v1/mounts', '/photos/..%2fvault/secret.txt', '/PHOTOS/cat.png', '/health/ready', '/']) t.match(await sign({ path }), { status: /^(400|404)$/ }, path)
  t.equal((await sign({ path: '/photos/cat.png' }, 'viewer')).status, 403, 'to sign is a POST')
  t.match(await sign({ path: '/vault/secret.txt' }, 'keeper'), { status: 400, text: /Expected one of a mount that takes signed URLs for GET/ })
  t.match(await sign({ path: '/photos/cat.png', strategy: 'machines' }), { status: 400, text: /strategy: Expected one whose signatures/ })
  for (const path of ['//evil.example/photos/cat.png', '/photos/cat.png?a=1#x', '/photos/my cat.png', '/photos/cat.png?sig=a.e1.x', '/photos/cat.png?w=3&%73ig=x', '/photos/\u00e9.png', '/photos/cat.png\r\nX: y', '/photos/%c0%ae/cat.png']) t.match(await sign({ path }), { status: 400 }, path)
  for (const method of ['CONNECT', 'WEBSOCKET', 'get', 'PURGE']) t.match(await sign({ path: '/photos/cat.png', method }), { status: 400, text: /method: Expected one of/ }, method)
})

t.test('what looks like a variant of a mount is signed for the mount that would answer, or not at all', async t => {
  const options = apiOptions(await apiFiles(t))
  const { machines, links } = structuredClone(strategies) as unknown as { machines: { keys: Array<{ mounts: string[] }> }, links: object }
  for (const key of machines.keys) key.mounts = []
  const access = { read: ['machines', 'links'] }
  const served = await serveMedia(t, { ...options, strategies: { machines, links }, mounts: [{ prefix: '/', source: 'photos', access }, { prefix: '/plain', source: 'photos', access, images: { grammars: ['query'] } }] } as never)
  const statusOf = async (path: string): Promise<number> => (await post(served, '/sign', { path }, as('editor'))).status
  t.equal(await statusOf('/_ipx/w_3/cat.png'), 200)
  t.equal(await statusOf('/plain/cat.png?w=3'), 200)
  t.equal(await statusOf('/_ipx/w_3/plain/cat.png'), 404)
  t.equal(await statusOf('/plain/_ipx/w_3/cat.png'), 200, 'which is the path of a file there')
})

t.test('a URL that was signed lets in for what was asked, and for nothing else', async t => {
  const served = await serveApi(t)
  const signed = async (body: object): Promise<string> => json(await post(served, '/sign', body, as('editor'))).url as string
  const reading = await signed({ path: '/photos/cat.png?w=3' })
  t.match(await ask(served, reading), { status: 200 })
  t.match(await ask(served, reading, { method: 'HEAD' }), { status: 200 })
  t.equal((await ask(served, reading, { method: 'DELETE' })).status, 401)
  t.equal((await ask(served, reading.replace('w=3', 'w=4'))).status, 401)
  const ipx = await signed({ path: '/_ipx/w_3/photos/cat.png' })
  t.match(await ask(served, ipx), { status: 200, headers: { 'content-type': 'image/png' } })
  const writing = await signed({ path: '/photos/dropped.txt', method: 'PUT' })
  t.equal((await ask(served, writing)).status, 401)
  t.equal((await ask(served, writing, { method: 'PUT', body: 'dropped' })).status, 201)
  t.equal((await ask(served, await signed({ path: '/photos/cat.png', address: '192.0.2.1' }))).status, 401, 'it is for another address')
  t.equal((await ask(served, `/api/v1/stat?path=/photos/cat.png&${reading.slice(reading.indexOf('sig='))}`)).status, 401, 'and never for the API')
})

/** A server whose API takes tokens of paths. */
async function byTokens (t: Parameters<typeof apiFiles>[0], rest: object = {}): Promise<Served> {
  const tokens = { driver: 'jwt', algorithms: ['HS256'], key: sharedSecret, maxAgeSeconds: 3600 }
  const rules = { read: ['tokens', 'links'], write: ['tokens', 'links'] }
  return await serveMedia(t, { ...apiOptions(await apiFiles(t)), strategies: { tokens, links: strategies.links }, api: { access: { read: ['tokens'], write: ['tokens'] } }, mounts: [{ prefix: '/photos', source: 'photos', permission: 'read-write', access: rules }, { prefix: '/vault', source: 'vault', permission: 'read-write', access: rules }], ...rest } as never)
}
/** A token for two hours, of which the strategy takes one. */
const bearing = (claims: object): { headers: Record<string, string> } => {
  const now = Math.floor(Date.now() / 1000)
  return { headers: { authorization: `Bearer ${token({ alg: 'HS256', claims: { sub: 'ann', iat: now, exp: now + 7200, ...claims } })}` } }
}

t.test('paths of a token bound what it does by the API, too', async t => {
  const served = await byTokens(t)
  t.equal((await ask(served, url('stat', { path: '/photos/2026/a.txt' }), bearing({ paths: ['/photos/2026/'] }))).status, 403, 'it is not for the API')
  const own = bearing({ paths: ['/api/v1/', '/photos/2026/'] })
  t.match(json(await ask(served, url('stat', { path: '/photos/2026/a.txt' }), own)), { kind: 'file' })
  t.match(json(await ask(served, url('list', { path: '/photos/2026' }), own)), { path: '/photos/2026/', entries: { length: 3 } })
  t.equal((await ask(served, url('file', { path: '/photos/2026/new.txt' }), { method: 'PUT', body: 'new', ...own })).status, 201)
  for (const path of ['/photos/note.txt', '/photos/2026.txt', '/vault/secret.txt', '/photos/']) {
    t.equal((await ask(served, url('stat', { path }), own)).status, 404, path)
    t.equal((await post(served, '/purge', { what: path }, own)).status, 404, path)
    t.equal((await post(served, '/sign', { path }, own)).status, 404, path)
  }
  t.equal((await ask(served, url('list', { path: '/photos' }), own)).status, 404)
  t.equal((await ask(served, url('file', { path: '/photos/note.txt' }), { method: 'PUT', body: 'x', ...own })).status, 404)
  t.equal((await post(served, '/move', { from: '/photos/2026/a.txt', to: '/photos/a.txt' }, own)).status, 404)
  t.equal((await post(served, '/move', { from: '/photos/note.txt', to: '/photos/2026/note.txt' }, own)).status, 404)
  t.equal((await post(served, '/purge', { what: '/photos/2026/' }, own)).status, 200)
  t.equal((await post(served, '/purge', { what: '/photos/2026' }, own)).status, 404, 'a file of that name would not be theirs')
  t.strictSame(json(await ask(served, '/api/v1/mounts', own)), { mounts: [] })
})

t.test('a file can be moved to where it may be read only by who may read it where it is', async t => {
  const options = apiOptions(await apiFiles(t))
  const movers = { driver: 'apiKey', keys: [{ ...(strategies.machines.keys[0] as object), name: 'mover', mounts: ['/api/v1', '/photos'], methods: ['POST', 'PUT', 'DELETE'] }] }
  const served = await serveMedia(t, { ...options, strategies: { ...strategies, machines: movers } , mounts: options.mounts?.filter(mount => mount.prefix === '/photos') } as never)
  t.equal((await post(served, '/move', { from: '/photos/note.txt', to: '/photos/public.txt' }, as('editor'))).status, 404)
  t.equal((await ask(served, url('file', { path: '/photos/note.txt' }), { method: 'DELETE', ...as('editor') })).status, 204, 'though it may be deleted')
})

t.test('a file stays in its mount: nothing of another mount is read or written by a move', async t => {
  const served = await serveApi(t)
  const move = async (from: string, to: string, caller: Parameters<typeof as>[0]) => (await post(served, '/move', { from, to, overwrite: true }, as(caller))).status
  t.equal(await move('/vault/secret.txt', '/photos/mine.txt', 'editor'), 404)
  t.equal(await move('/photos/note.txt', '/vault/secret.txt', 'editor'), 404)
  t.equal(await move('/vault/secret.txt', '/photos/mine.txt', 'owner'), 400, 'not even by who may do both')
  t.match(json(await ask(served, url('stat', { path: '/vault/secret.txt' }), as('owner'))), { size: 8 })
})

t.test('nobody purges what is not theirs: by a tag, by everything, by what holds it', async t => {
  const served = await serveApi(t)
  const purge = async (what: string, caller: Parameters<typeof as>[0] = 'editor') => (await post(served, '/purge', { what }, as(caller))).status
  for (const what of ['*', 'any-tag', 'prefix:/', '/', 'https://example.com/', 'original:', 'prefix:']) t.equal(await purge(what), 403, what)
  for (const what of ['/vault/', '/vault/secret.txt', 'prefix:/vault', 'original:/vault/secret.txt', '/vau', '/vau/', 'prefix:/nowhere', '//vault/'.slice(1)]) t.equal(await purge(what), 404, what)
  for (const what of ['original:/photos/../vault/secret.txt', 'prefix:/photos/../vault', '/photos/%2e%2e/vault/', '']) t.equal(await purge(what), 400, what)
  for (const what of ['/photos/', '/photos/cat.png?w=3', 'prefix:/photos', 'original:/photos/cat.png', 'http://other.example/photos/']) t.equal(await purge(what), 200, what)
  t.equal(await purge('*', 'owner'), 403, 'a mount without rules is nobody\'s')
})

t.test('who may delete from every mount purges everything, and what was kept is made anew', async t => {
  const options = apiOptions(await apiFiles(t))
  const served = await serveMedia(t, { ...options, mounts: options.mounts?.filter(({ prefix }) => prefix !== '/open') } as never)
  const made = async (): Promise<unknown> => (await ask(served, '/photos/cat.png?w=3', as('owner'))).headers['x-cache']
  t.strictSame([await made(), await made()], ['made', 'hit-memory'])
  t.match(json(await post(served, '/purge', { what: '*' }, as('owner'))), { tag: '*', behind: [] })
  t.strictSame([await made(), await made()], ['made', 'hit-memory'])
  t.equal((await post(served, '/purge', { what: '/photos/dog.png' }, as('owner'))).status, 200)
  t.equal(await made(), 'hit-memory')
  t.equal((await post(served, '/purge', { what: 'a-tag' }, as('owner'))).status, 200)
  t.equal((await post(served, '/purge', { what: '/' }, as('owner'))).status, 200, 'what holds all mounts')
  t.equal(await made(), 'made')
})

t.test('a URL is signed for no longer than the strategy takes, and than whoever asks is let in', async t => {
  const served = await byTokens(t)
  const now = Math.floor(Date.now() / 1000)
  const sign = async (claims: object, body: object = {}) => await post(served, '/sign', { path: '/photos/cat.png', ...body }, bearing(claims))
  const secondsOf = (answer: Awaited<ReturnType<typeof sign>>): number => Date.parse(json(answer).expires as string) / 1000
  const ending = await sign({ exp: now + 600 })
  t.equal(secondsOf(ending), now + 600, 'with the token')
  t.match(await sign({ exp: now + 600 }, { expiresIn: 900 }), { status: 400, text: /expiresIn: Expected a time until/ })
  t.match(await sign({ exp: now + 600 }, { expires: new Date((now + 900) * 1000).toISOString() }), { status: 400, text: /expires: Expected a time until/ })
  t.equal(secondsOf(await sign({ iat: now - 3000 })), now + 600, 'with its greatest age')
  const usual = secondsOf(await sign({}))
  t.ok(Math.abs(usual - now - 3600) < 300, 'an hour without saying')
  t.equal((await sign({}, { expiresIn: 7300 })).status, 400)
  for (const body of [{ expires: '2020-01-01T00:00:00Z' }, { expires: '2027-02-30T00:00:00Z' }, { expires: '2027-13-01T00:00:00Z' }, { expires: 'tomorrow' }, { expiresIn: 0 }, { expiresIn: 1.5 }, { expiresIn: '60' }, { expiresIn: 60, expires: new Date((now + 60) * 1000).toISOString() }, { notBefore: '9000-01-01T00:00:00Z' }, { address: 'everywhere' }]) t.equal((await sign({}, body)).status, 400, JSON.stringify(body))
})
