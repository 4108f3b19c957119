import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { apiFiles, apiOptions, as, json, post, serveApi, url } from '../helpers/api.ts'
import { ask, serveMedia } from '../helpers/app.ts'

/*
 * Paths of the API are texts that were decoded once. None of them may name what the same path in a URL would not:
 * by climbing, by spellings that a file system folds, by halves of characters, by what looks like a variant.
 */

/** What a request for such a path would be refused for, too. */
const malformed = ['//etc/passwd', '/photos//note.txt', '/photos/../vault/secret.txt', '/photos/./note.txt', '/photos/..', '/photos/..\\vault', '/photos/a\\b.txt', '/photos/note.txt\0.png', '/photos/line\nbreak', '/C:/photos', '/photos/\u007f']

/** What is nobody's: it is not decoded a second time, and letters count. */
const nothing = ['/photos/%2e%2e/vault/secret.txt', '/photos/%2fetc', '/photos/note.txt%00', '/PHOTOS/note.txt', '/photos/NOTE.txt', '/photos/note.txt.', '/photos/note.txt/', '/photosx/note.txt', '/photos;v=1/note.txt', '/photos/..;/vault/secret.txt', '/api/v1/mounts', '/API/v1/mounts', '/photos/.hidden', '/photos/_ipx/w_10/cat.png', '/_ipx/w_10/photos/cat.png', `/photos/${'x'.repeat(300)}`]

t.test('a malformed path is refused by every operation that takes one', async t => {
  const served = await serveApi(t)
  const ops = async (path: string): Promise<number[]> => [
    (await ask(served, url('list', { path }), as('owner'))).status,
    (await ask(served, url('stat', { path }), as('owner'))).status,
    (await ask(served, url('info', { path }), as('owner'))).status,
    (await ask(served, url('file', { path }), { method: 'PUT', body: 'x', ...as('owner') })).status,
    (await ask(served, url('file', { path }), { method: 'DELETE', ...as('owner') })).status,
    (await post(served, '/move', { from: path, to: '/photos/other.txt' }, as('owner'))).status,
    (await post(served, '/move', { from: '/photos/note.txt', to: path }, as('owner'))).status,
    (await post(served, '/purge', { what: path.split('/').map(encodeURIComponent).join('/') }, as('owner'))).status
  ]
  for (const path of malformed) for (const [place, status] of (await ops(path)).entries()) t.equal(status, 400, `${JSON.stringify(path)} ${place}`)
  for (const path of ['photos/note.txt', '', '*', 'http://127.0.0.1/photos/note.txt']) t.match(await ask(served, url('stat', { path }), as('owner')), { status: 400, text: /path: Expected/ }, path)
  for (const path of ['/photos/\ud800.txt', '/photos/\udc00/a']) {
    t.match(await post(served, '/move', JSON.stringify({ from: '/photos/note.txt', to: path }), as('owner')), { status: 400, text: /whole characters/ })
    t.match(await post(served, '/move', JSON.stringify({ from: path, to: '/photos/x.txt' }), as('owner')), { status: 400 })
  }
})

t.test('a path is what it says: nothing is decoded, folded or read as a variant once more', async t => {
  const files = await apiFiles(t)
  await mkdir(join(files.photos, '_ipx/w_10'), { recursive: true })
  await writeFile(join(files.photos, '_ipx/w_10/cat.png'), 'a file where URLs of variants are')
  const served = await serveMedia(t, apiOptions(files))
  for (const path of nothing) {
    t.match(await ask(served, url('stat', { path }), as('owner')), { status: 404, text: /"not-found"/ }, path)
    t.match(await ask(served, url('info', { path }), as('owner')), { status: 404 }, path)
    t.match(await ask(served, url('file', { path }), { method: 'DELETE', ...as('owner') }), { status: /^(400|404|409)$/ }, path)
    t.match(await post(served, '/move', { from: path, to: '/photos/here.txt' }, as('owner')), { status: /^(400|404|409)$/ }, path)
  }
  for (const path of ['/photos/%2e%2e/vault/x.txt', '/photos/..;/vault/x.txt', '/photos/.hidden', '/photos/_ipx/w_10/new.png', '/api/v1/new.txt', '/photos/a.php', '/photos/aux.txt', '/photos/x\u202etxt.png', '/photos/note.txt/below.txt']) {
    const { status } = await ask(served, url('file', { path }), { method: 'PUT', body: 'x', ...as('owner') })
    t.ok(status >= 400 && status < 500, `${path} ${status}`)
    const moved = await post(served, '/move', { from: '/photos/note.txt', to: path }, as('owner'))
    t.ok(moved.status >= 400 && moved.status < 500, `move to ${path} ${moved.status}`)
  }
  await t.resolves(access(join(files.photos, 'note.txt')))
  await t.resolves(access(join(files.vault, 'secret.txt')))
})

t.test('a name is found by both of its normal forms, and written in one', async t => {
  const served = await serveApi(t)
  const [composed, decomposed] = ['/photos/caf\u00e9.txt', '/photos/cafe\u0301.txt']
  t.match(await ask(served, url('file', { path: decomposed }), { method: 'PUT', body: 'noir', ...as('editor') }), { status: 201, headers: { location: '/photos/caf%C3%A9.txt' } })
  for (const path of [composed, decomposed]) t.match(json(await ask(served, url('stat', { path }), as('editor'))), { kind: 'file', size: 4 }, JSON.stringify(path))
  t.match(json(await post(served, '/move', { from: decomposed, to: '/photos/the\u0301.txt' }, as('editor'))), { path: '/photos/th\u00e9.txt' })
})

t.test('a name with what URLs reserve goes through the API and out again by its URL', async t => {
  const served = await serveApi(t)
  const path = '/photos/100% #1 & "so"?+.txt'.replaceAll('"', '\'').replace('?', '')
  t.equal((await ask(served, url('file', { path }), { method: 'PUT', body: 'so', ...as('editor') })).status, 201)
  const told = json(await ask(served, url('stat', { path }), as('editor')))
  t.match(told, { path, size: 2 })
  t.match(await ask(served, told.url as string, as('editor')), { status: 200, text: 'so' })
})

t.test('what belongs to a mount below another is that mount\'s alone, however it is spelled', async t => {
  const files = await apiFiles(t)
  const options = apiOptions(files)
  const machines = structuredClone(options.strategies?.machines) as unknown as { keys: Array<{ name: string, mounts: string[] }> }
  for (const key of machines.keys) key.mounts = key.name === 'editor' ? ['/api/v1', '/'] : ['/api/v1']
  const rules = { read: ['machines'], write: ['machines'] }
  const served = await serveMedia(t, { ...options, strategies: { ...options.strategies, machines }, mounts: [
    { prefix: '/', source: 'photos', permission: 'read-write', access: rules },
    { prefix: '/2026', source: 'vault', permission: 'read-write', access: rules }
  ] } as never)
  t.match(json(await ask(served, url('stat', { path: '/note.txt' }), as('editor'))), { size: 6 })
  const { entries } = json(await ask(served, url('list', { path: '/' }), as('editor'))) as { entries: Array<{ name: string }> }
  t.strictSame(entries.map(({ name }) => name), ['broken.png', 'cat.png', 'dog.png', 'note.txt'])
  for (const path of ['/2026/a.txt', '/2026/', '/2026', '/2026./a.txt', '/2026;x/a.txt', '/2026/secret.txt']) {
    t.equal((await ask(served, url('stat', { path }), as('editor'))).status, 404, path)
    t.equal((await ask(served, url('file', { path }), { method: 'PUT', body: 'x', ...as('editor') })).status >= 400, true, path)
    t.equal((await post(served, '/purge', { what: path }, as('editor'))).status, 404, path)
  }
  for (const path of ['/api/v1/new.txt', '/API/v1/new.txt', '/api/v1;x/new.txt']) t.match(await ask(served, url('file', { path }), { method: 'PUT', body: 'x', ...as('editor') }), { status: 404 }, 'nor what is the API\'s')
  t.equal((await post(served, '/purge', { what: '/' }, as('editor'))).status, 403, 'what is above both is not all theirs')
  t.equal((await ask(served, url('stat', { path: '/note.txt' }), as('owner'))).status, 404, 'a key for the API alone')
})
