import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { symlink } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { request as askUpstream } from 'undici'
import { integrityOf, verifyingSender, type FileIntegrity, type IntegrityOptions } from '../../../lib/upstream/integrity.ts'
import type { Fields, Sender, UpstreamResponse } from '../../../lib/upstream/message.ts'
import { ask, scratch, serve, type Test } from '../../helpers/app.ts'
import { cpuMs, eventually } from '../../helpers/process.ts'

function sri (content: string | Buffer, algorithm = 'sha256'): string {
  return `${algorithm}-${createHash(algorithm).update(content).digest('base64')}`
}

function options (files: Record<string, string>, rest: Partial<IntegrityOptions> = {}): IntegrityOptions {
  return { files, mandatory: false, ...rest }
}

const film = Buffer.alloc(300_000, 'film ')

async function filmCheck (promise = sri(film)): Promise<FileIntegrity> {
  return (await integrityOf(options({ 'film.mp4': promise }))).check('/film.mp4') as FileIntegrity
}

function answer (body: Buffer | Readable, rest: { status?: number, headers?: Fields } = {}): UpstreamResponse {
  return { status: 200, headers: {}, body, trailers: () => ({ 'x-trailer': 'kept' }), ...rest }
}

async function bytesOf (body: Buffer | Readable): Promise<Buffer> {
  return Buffer.isBuffer(body) ? body : Buffer.concat(await body.toArray())
}

const get = { method: 'GET' }

t.test('a path finds its promise however it is spelled', async t => {
  const hash = sri('x')
  const { check } = await integrityOf(options({ 'a/b c.txt': hash, '/abs.txt': hash, 'd//e.txt': hash, '100%25.txt': hash, 'ü.txt': hash, __proto__x: hash }))
  for (const path of ['/a/b%20c.txt', 'a/b c.txt', '/%61/b%20c.txt', '//a///b%20c.txt', '/a%2Fb%20c.txt', '/a/./b%20c.txt', '/x/../a/b%20c.txt', '/x/%2e%2e/a/b%20c.txt', '/a/b%20c.txt/', '/abs.txt', '/d/e.txt', '/100%2525.txt', '/%C3%BC.txt', '/__proto__x']) t.ok(check(path), path)
  for (const path of ['/', '', '/a', '/A/b%20c.txt', '/a/b%20c.txt2', '/100%25.txt', '/__proto__', '/constructor', '/toString', '/%zz', '/%ff', '/../..']) t.equal(check(path), undefined, path)
})

t.test('where promises are required a file without one is not there', async t => {
  const { check } = await integrityOf(options({ 'film.mp4': sri(film) }, { mandatory: true }))
  t.ok(check('/film.mp4'))
  for (const path of ['/other.mp4', '/', '/__proto__', '/%zz']) t.throws(() => check(path), { code: 'not-found', statusCode: 404 }, path)
})

t.test('a body that is as promised passes as it is', async t => {
  for (const promise of [sri(film), sri(film, 'sha384'), sri(film, 'sha512'), `${sri('other')} ${sri(film)}`]) {
    const check = await filmCheck(promise)
    for (const body of [film, Readable.from([film]), Readable.from([film.subarray(0, 1), film.subarray(1, 200_000), film.subarray(200_000)])]) {
      const verified = check.verify(get, answer(body, { headers: { 'content-length': '300000' } }), 'store')
      t.ok((await bytesOf(verified.body)).equals(film))
      t.same([verified.status, verified.headers, verified.trailers()], [200, { 'content-length': '300000' }, { 'x-trailer': 'kept' }])
    }
  }
  const empty = await filmCheck(sri(''))
  t.equal((await bytesOf(empty.verify(get, answer(Readable.from([])), 'store').body)).length, 0)
})

t.test('a body that came whole and is another fails before anything is sent', async t => {
  const check = await filmCheck()
  const failure = { code: 'upstream-content', statusCode: 502, detail: 'The file that store sent does not have the hash that was promised for it', context: { key: 'film.mp4', expected: [sri(film)], received: sri('other') } }
  t.throws(() => check.verify(get, answer(Buffer.from('other')), 'store'), failure)
  t.throws(() => check.verify(get, answer(Buffer.alloc(0)), 'store'), { code: 'upstream-content' })
  const weaker = await filmCheck(`${sri(film)} ${sri('other', 'sha512')}`)
  t.throws(() => weaker.verify(get, answer(film), 'store'), { code: 'upstream-content' }, 'a weaker promise that is kept does not help')
})

t.test('of a body that streams and is another the last chunk never comes', async t => {
  const check = await filmCheck()
  const wrong = Buffer.from(film)
  wrong[0] = 0
  const chunks = [wrong.subarray(0, 100_000), wrong.subarray(100_000, 299_999), wrong.subarray(299_999)]
  for (const sent of [chunks, [wrong], [film, Buffer.from('more')], [film.subarray(0, -1)], []]) {
    const { body } = check.verify(get, answer(Readable.from(sent)), 'store')
    const seen: Buffer[] = []
    const error = await (async () => {
      for await (const chunk of body as Readable) seen.push(chunk as Buffer)
    })().catch((error: unknown) => error)
    t.match(error, { code: 'upstream-content' })
    t.ok(seen.length <= Math.max(0, sent.length - 1), `${seen.length} of ${sent.length} chunks`)
  }
})

t.test('answers that are not the file stay as they are', async t => {
  const check = await filmCheck()
  for (const status of [304, 301, 404, 500]) {
    const response = answer(Buffer.from('other'), { status })
    t.equal(check.verify(get, response, 'store'), response)
  }
  const head = answer(Buffer.alloc(0))
  t.equal(check.verify({ method: 'HEAD' }, head, 'store'), head)
  t.throws(() => check.verify(get, answer(Buffer.from('other'), { status: 203 }), 'store'), { code: 'upstream-content' }, 'but every success is the file')
})

t.test('what cannot be verified is not sent', async t => {
  const check = await filmCheck()
  const rows: Array<[RegExp, { status?: number, headers?: Fields }]> = [[/in part/, { status: 206 }], [/in a coding/, { headers: { 'content-encoding': 'gzip' } }], [/in a coding/, { headers: { 'content-encoding': ['identity', 'br'] } }]]
  for (const [detail, rest] of rows) {
    t.throws(() => check.verify(get, answer(film, rest), 'store'), { code: 'upstream-content', detail })
    const body = new Readable({ read () {} })
    t.throws(() => check.verify(get, answer(body, rest), 'store'), { code: 'upstream-content', detail })
    t.ok(body.destroyed, 'and its exchange ends')
  }
  t.ok(check.verify(get, answer(film, { headers: { 'content-encoding': ' Identity ' } }), 'store'))
})

t.test('the origin is asked for all of it, without a coding', async t => {
  const check = await filmCheck()
  t.same(check.requestHeaders({ range: 'bytes=0-1', 'if-range': '"x"', 'accept-encoding': 'gzip', 'if-none-match': '"e"', accept: '*/*' }), { 'accept-encoding': 'identity', 'if-none-match': '"e"', accept: '*/*' })
})

t.test('a manifest is read once, and the configuration goes before it', async t => {
  const directory = await scratch(t, {
    'manifest.json': `\uFEFF${JSON.stringify({ 'a.txt': sri('from the manifest'), 'b.txt': sri('b') })}`,
    'proto.json': `{"__proto__": "${sri('p')}", "constructor": "${sri('c')}"}`,
    'empty.json': '{}'
  })
  const { check } = await integrityOf(options({ '/a.txt': sri('own') }, { manifest: join(directory, 'manifest.json') }))
  t.equal(await bytesOf((check('a.txt') as FileIntegrity).verify(get, answer(Buffer.from('own')), 'store').body).then(String), 'own')
  t.ok(check('b.txt'))
  const proto = await integrityOf(options({}, { manifest: join(directory, 'proto.json') }))
  t.ok(proto.check('__proto__'), 'a name like any other')
  t.ok(proto.check('constructor'))
  t.equal(proto.check('toString'), undefined)
  t.equal(({} as Record<string, unknown>).sha256, undefined)
  t.equal((await integrityOf(options({}, { manifest: join(directory, 'empty.json') }))).check('a'), undefined)
})

t.test('what is wrong with a manifest is told at once, with its name', async t => {
  const directory = await scratch(t, {
    'no.json': '{"a": ', 'list.json': '[]', 'null.json': 'null', 'text.json': '"sha256-x"',
    'values.json': JSON.stringify({ a: 5, b: null, c: ['x'], d: 'sha256-AAAA', e: 'md5-x', '': sri('x'), '/..//': sri('x'), ok: sri('x') }),
    'twice.json': JSON.stringify({ '/a': sri('x'), a: sri('y'), 'b//c': sri('x'), 'b/c': sri('x') }),
    'many.json': JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`${n}`, 'x'])))
  })
  const failure = async (name: string): Promise<string> => await integrityOf(options({}, { manifest: join(directory, name) })).then(() => 'none', (error: Error) => `${error.name}: ${error.message}`)
  t.match(await failure('missing.json'), /^ConfigError: 1 mistake in .*missing\.json:\n {2}It cannot be read: ENOENT/)
  t.match(await failure('no.json'), /It cannot be read: .*JSON/)
  for (const name of ['list.json', 'null.json', 'text.json']) t.match(await failure(name), /Expected an object of hashes by path/, name)
  t.match(await failure('.'), /It cannot be read: EISDIR/)
  const values = await failure('values.json')
  t.match(values, /^ConfigError: 7 mistakes in /)
  for (const line of ['a: Expected a text with hashes but received 5', 'b: Expected a text with hashes but received null', 'd: Expected a hash of 32 bytes for sha256 but received one of 3', 'e: Expected hashes such as', 'Expected the path of a file', '/..//: Expected the path of a file']) t.ok(values.includes(line), line)
  const twice = await failure('twice.json')
  t.match(twice, /^ConfigError: 1 mistake .*\n {2}a: Expected one promise for a but received another under another spelling$/)
  t.match(await failure('many.json'), /^ConfigError: 21 mistakes in [\s\S]*… and 4980 more$/)
  await t.rejects(integrityOf(options({ a: 'sha256-AAAA' })), { name: 'ConfigError', message: /in integrity\.files/ })
})

t.test('a manifest of ten megabytes is read, one without an end is not', async t => {
  const hash = sri('x')
  const manifest = JSON.stringify(Object.fromEntries(Array.from({ length: 130_000 }, (_, n) => [`files/of/some/length/${n}.jpg`, hash])))
  const directory = await scratch(t, { 'large.json': manifest })
  t.ok(manifest.length > 10_000_000)
  const { check } = await integrityOf(options({}, { manifest: join(directory, 'large.json') }))
  t.ok(check('/files/of/some/length/129999.jpg'))
  t.ok(cpuMs(() => { for (let n = 0; n < 1000; n++) check(`/files/of/some/length/${n}.jpg`) }) < 3000, 'looking up is no search')
  const huge = await scratch(t)
  const { truncate, writeFile } = await import('node:fs/promises')
  await writeFile(join(huge, 'huge.json'), '{')
  await truncate(join(huge, 'huge.json'), 70 * 1024 * 1024)
  await t.rejects(integrityOf(options({}, { manifest: join(huge, 'huge.json') })), { name: 'ConfigError', message: /Expected at most 67108864 bytes but received 73400320/ })
  await symlink(join(huge, 'nowhere'), join(huge, 'link.json'))
  await t.rejects(integrityOf(options({}, { manifest: join(huge, 'link.json') })), { name: 'ConfigError' })
})

/** A mount over an origin on a socket: what the sender gives goes to the client. */
async function mounted (t: Test, files: Record<string, string>, respond: (response: ServerResponse, path: string) => void): Promise<{ port: number, asked: Fields[] }> {
  const asked: Fields[] = []
  const origin = createServer((request, response) => {
    asked.push(request.headers as Fields)
    respond(response, request.url as string)
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.teardown(() => { origin.closeAllConnections(); origin.close() })
  const { port } = origin.address() as { port: number }
  const plain: Sender = {
    name: 'store',
    async send ({ method, path, headers }) {
      const { statusCode, headers: fields, body } = await askUpstream(`http://127.0.0.1:${port}${path}`, { method: method as 'GET', headers })
      return { status: statusCode, headers: fields as Fields, body, trailers: () => undefined }
    }
  }
  const sender = verifyingSender(plain, await integrityOf(options(files)), '/assets')
  const served = await serve(t, app => app.get('/*', async (request, reply) => {
    const { range } = request.headers
    const { status, headers, body } = await sender.send({ method: 'GET', path: `/assets${request.raw.url as string}`, headers: range === undefined ? {} : { range } })
    for (const name of ['content-length', 'content-type']) if (headers[name] !== undefined) reply.header(name, headers[name])
    return await reply.code(status).send(body)
  }))
  return { port: served.port, asked }
}

t.test('over a socket a file that is another shows as cut off, with or without a length', async t => {
  const { port, asked } = await mounted(t, { 'good.bin': sri(film), 'bad.bin': sri(film), 'chunked.bin': sri(film) }, (response, path) => {
    if (!path.includes('chunked')) response.setHeader('content-length', String(film.length))
    const bytes = Buffer.from(film)
    if (!path.includes('good')) bytes[film.length - 1] = 0
    Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)]).pipe(response)
  })
  const good = await ask({ port }, '/good.bin?v=1', { headers: { range: 'bytes=0-9' } })
  t.same([good.status, good.body.equals(film)], [200, true])
  t.equal(asked[0]?.range, undefined, 'a part cannot be verified, so all of it is asked for')
  for (const path of ['/bad.bin', '/chunked.bin']) await t.rejects(ask({ port }, path), { code: 'ECONNRESET' }, path)
  t.equal((await ask({ port }, '/unknown.bin')).body.length, film.length, 'nothing is promised of it')
})

t.test('a small file that is another is a clean 502', async t => {
  const { port } = await mounted(t, { 'small.txt': sri('small') }, response => { response.end('wrong') })
  const answered = await ask({ port }, '/small.txt')
  t.equal(answered.status, 502)
  t.match(JSON.parse(answered.text), { code: 'upstream-content' })
})

t.test('the sender looks at the path below the mount', async t => {
  const seen: string[] = []
  const sender: Sender = { name: 'store', send: async ({ path }) => { seen.push(path); return answer(Buffer.from('wrong')) } }
  const verifying = verifyingSender(sender, await integrityOf(options({ 'a.txt': sri('a'), 'deep/a.txt': sri('a') })), '/assets')
  t.equal(verifying.name, 'store')
  for (const path of ['/assets/a.txt', '/assets/a.txt?q=/b', '/assets/deep/a.txt', '/a.txt']) await t.rejects(verifying.send({ method: 'GET', path, headers: {} }), { code: 'upstream-content' }, path)
  for (const path of ['/assets/b.txt', '/assets', '/assetsx/a.txt', '/deep/b.txt']) t.equal((await verifying.send({ method: 'GET', path, headers: {} })).status, 200, path)
  const root = verifyingSender(sender, await integrityOf(options({ 'a.txt': sri('a') })), '')
  await t.rejects(root.send({ method: 'GET', path: '/a.txt', headers: {} }), { code: 'upstream-content' })
  t.equal(seen.length, 9)
})

t.test('who leaves ends the exchange, and an origin that dies is told', async t => {
  const check = await filmCheck()
  const source = new Readable({ read () {} })
  const left = check.verify(get, answer(source), 'store').body as Readable
  source.push(film.subarray(0, 10))
  left.destroy()
  await eventually(() => source.destroyed)
  const dying = new Readable({ read () {} })
  const { body } = check.verify(get, answer(dying), 'store')
  dying.destroy(new Error('reset'))
  await t.rejects(bytesOf(body), { message: 'reset' })
})
