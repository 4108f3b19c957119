import { METHODS } from 'node:http'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { operations, type OperationId } from '../../lib/api/operations.ts'
import { apiFiles, apiOptions, as, json, post, serveApi, url } from '../helpers/api.ts'
import { ask, serveMedia, type Answer, type Served } from '../helpers/app.ts'

/*
 * Whoever may use the API tries what the rules of a mount do not let them: every operation, on what is there, on what
 * is not, and on mounts that there are not. The answers must not tell these apart.
 */

/** Every operation on a path, as somebody. */
const attempts: Record<Exclude<OperationId, 'listMounts'>, (served: Served, path: string, credentials: { headers: Record<string, string> }) => Promise<Answer>> = {
  listDirectory: async (served, path, who) => await ask(served, url('list', { path: path.slice(0, path.lastIndexOf('/') + 1) }), who),
  stat: async (served, path, who) => await ask(served, url('stat', { path }), who),
  describePicture: async (served, path, who) => await ask(served, url('info', { path }), who),
  uploadFile: async (served, path, who) => await ask(served, url('file', { path }), { method: 'PUT', body: 'mine now', ...who }),
  deleteFile: async (served, path, who) => await ask(served, url('file', { path }), { method: 'DELETE', ...who }),
  moveFile: async (served, path, who) => await post(served, '/move', { from: path, to: `${path}.moved.txt`, overwrite: true }, who),
  purge: async (served, path, who) => await post(served, '/purge', { what: path }, who),
  signUrl: async (served, path, who) => await post(served, '/sign', { path }, who)
}

/** All that a client sees but the time, and what names the request. */
function shown ({ status, headers: { date: _date, 'content-length': _length, ...headers }, text }: Answer): unknown {
  return { status, headers, text: text.replace(/"requestId":"[^"]*"/, '') }
}

t.test('a key of one mount finds nothing of another: what is there is answered as what is not', async t => {
  const files = await apiFiles(t)
  const served = await serveMedia(t, apiOptions(files))
  for (const [operation, attempt] of Object.entries(attempts)) {
    const nowhere = shown(await attempt(served, '/nowhere/secret.txt', as('editor')))
    t.match(nowhere, { status: 404, text: /"code":"not-found"/ }, operation)
    for (const path of ['/vault/secret.txt', '/vault/gold.png', '/vault/none.txt', '/vault/none/x.png']) t.strictSame(shown(await attempt(served, path, as('editor'))), nowhere, `${operation} ${path}`)
    t.strictSame(shown(await attempt(served, '/photos/note.txt', as('keeper'))), nowhere, `${operation} the other way`)
  }
  t.equal(await readFile(join(files.vault, 'secret.txt'), 'utf8'), 'a secret')
  t.equal(await readFile(join(files.photos, 'note.txt'), 'utf8'), 'a note')
  t.ok(served.logs.some(({ reason }) => String(reason).includes('key editor is not for this mount')), 'the log tells why')
})

t.test('mounts are shown to whoever may read them, and to nobody else', async t => {
  const served = await serveApi(t)
  const prefixes = async (caller: Parameters<typeof as>[0]): Promise<unknown[]> => (json(await ask(served, '/api/v1/mounts', as(caller))).mounts as Array<{ prefix: string }>).map(({ prefix }) => prefix)
  t.strictSame(await prefixes('editor'), ['/open', '/photos'])
  t.strictSame(await prefixes('keeper'), ['/open', '/vault'])
  t.strictSame(await prefixes('owner'), ['/open', '/photos', '/tiny', '/vault'])
})

t.test('a key that reads changes nothing, and a key for a mount alone is none for the API', async t => {
  const files = await apiFiles(t)
  const served = await serveMedia(t, apiOptions(files))
  for (const [operation, attempt] of Object.entries(attempts)) {
    const isReading = operations[operation as OperationId].method === 'GET'
    t.equal((await attempt(served, '/photos/dog.png', as('viewer'))).status, isReading ? 200 : 403, operation)
    t.match(await attempt(served, '/photos/dog.png', as('stranger')), { status: 403, text: /"code":"forbidden"/ }, operation)
  }
  t.ok((await readFile(join(files.photos, 'dog.png'))).length > 60)
})

t.test('where reading is allowed and writing is not, writing is refused: on mounts without rules, and that are only read', async t => {
  const options = apiOptions(await apiFiles(t))
  const mounts = [
    ...options.mounts ?? [],
    { prefix: '/shown', source: 'photos', access: { read: 'public', write: ['machines'], methods: { DELETE: 'nobody' } } },
    { prefix: '/kept', source: 'photos', access: { read: ['machines'], write: ['machines'] } },
    { prefix: '/common', source: 'photos', permission: 'read-write' }
  ]
  const machines = structuredClone(options.strategies?.machines) as unknown as { keys: Array<{ name: string, mounts: string[] }> }
  for (const key of machines.keys) if (key.name === 'owner') key.mounts = []
  const served = await serveMedia(t, { ...options, strategies: { ...options.strategies, machines }, mounts } as never)
  const statuses = async (path: string): Promise<Record<string, number>> => Object.fromEntries(await Promise.all(Object.entries(attempts).map(async ([operation, attempt]) => [operation, (await attempt(served, path, as('owner'))).status] as const)))
  const reading = { listDirectory: 200, stat: 200, describePicture: 200 }
  const refused = { uploadFile: 403, deleteFile: 403, moveFile: 403, purge: 403 }
  t.strictSame(await statuses('/shown/cat.png'), { ...reading, ...refused, signUrl: 400 }, 'a purge is asked for as a deletion')
  t.strictSame(await statuses('/kept/cat.png'), { ...reading, ...refused, purge: 200, signUrl: 400 }, 'a purge of what is only read is for who may write')
  t.strictSame(await statuses('/common/cat.png'), { ...reading, ...refused, signUrl: 400 })
  t.strictSame(await statuses('/open/hello.txt'), { ...reading, describePicture: 415, ...refused, signUrl: 400 })
})

t.test('nobody learns anything without credentials, whatever the URL and the method', async t => {
  const served = await serveApi(t)
  const paths = ['', '/', '/nothing', '/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui.css', '/docs/static/none', '/openapi.json', ...Object.values(operations).map(operation => operation.url)]
  for (const path of paths) {
    for (const method of METHODS.filter(name => name !== 'CONNECT')) {
      const body = method === 'QUERY' ? { body: 'x', headers: { 'content-type': 'text/odd' } } : {}
      const answer = await ask(served, `/api/v1${path}`, { method, ...body })
      t.equal(answer.status, 401, `${method} ${path}`)
    }
  }
  t.match(await ask(served, '/api/v1/mounts'), { headers: { 'www-authenticate': /Bearer/, 'cache-control': 'no-store' } })
  t.match(await ask(served, '/api/v1/mounts', { headers: { 'x-api-key': 'fm_not-one-of-ours-0123456789' } }), { status: 401 })
})

t.test('other methods are refused by name, and other URLs are not there', async t => {
  const served = await serveApi(t)
  t.match(await ask(served, '/api/v1/stat', { method: 'DELETE', ...as('editor') }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.match(await ask(served, '/api/v1/file', { method: 'DELETE', ...as('editor') }), { status: 400 })
  t.match(await ask(served, '/api/v1/file', as('editor')), { status: 405, headers: { allow: 'PUT, DELETE, OPTIONS' } })
  t.match(await post(served, '/file', '<', as('editor', { 'content-type': 'text/xml' })), { status: 405 }, 'whatever its body')
  t.match(await ask(served, '/api/v1/purge', { method: 'OPTIONS', ...as('owner') }), { status: 204, headers: { allow: 'POST, OPTIONS' } })
  t.match(await ask(served, '/api/v1/docs', { method: 'DELETE', ...as('editor') }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.match(await ask(served, '/api/v1/docs/x', { method: 'PUT', ...as('editor') }), { status: 405 })
  t.match(await post(served, '/nothing', '<', as('editor', { 'content-type': 'text/xml' })), { status: 404 })
  const head = await ask(served, url('stat', { path: '/photos/note.txt' }), { method: 'HEAD', ...as('editor') })
  t.match(head, { status: 200, text: '', headers: { 'content-type': /json/ } })
})
