import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import fastify, { type FastifyInstance } from 'fastify'
import media, { type MediaOptions } from '../../app.ts'
import { oneMount, scratch } from '../helpers/app.ts'
import { eventually, openBelow } from '../helpers/process.ts'
import { asWriter, digestOf, form, strategies } from '../helpers/writable.ts'

async function ask (session: ClientHttp2Session, path: string, headers: Record<string, string> = {}): Promise<{ status: number, headers: IncomingHttpHeaders, body: Buffer }> {
  return await new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ...headers })
    const chunks: Buffer[] = []
    let head: IncomingHttpHeaders = {}
    stream.on('response', received => { head = received })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => { resolve({ status: Number(head[':status']), headers: head, body: Buffer.concat(chunks) }) })
    stream.on('error', reject)
    stream.end()
  })
}

/** The app over HTTP/2 with TLS, and a session of a client. */
async function overHttp2 (t: Test, options: MediaOptions): Promise<{ app: FastifyInstance, session: ClientHttp2Session }> {
  const keys = await scratch(t)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-keyout', join(keys, 'key.pem'), '-out', join(keys, 'cert.pem')], { stdio: 'ignore' })
  const app = fastify({ http2: true, https: { key: readFileSync(join(keys, 'key.pem')), cert: readFileSync(join(keys, 'cert.pem')) } }) as unknown as FastifyInstance
  t.teardown(async () => await app.close())
  app.register(media, options)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`https://localhost:${(app.server.address() as AddressInfo).port}`, { rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  return { app, session }
}

/** Sends a body and reads the answer. */
async function send (session: ClientHttp2Session, headers: Record<string, string>, body: Buffer | string): Promise<{ status: number, headers: IncomingHttpHeaders, text: string }> {
  return await new Promise((resolve, reject) => {
    const stream = session.request({ ...asWriter, ...headers })
    const chunks: Buffer[] = []
    let head: IncomingHttpHeaders = {}
    stream.on('response', received => { head = received })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ status: Number(head[':status']), headers: head, text: Buffer.concat(chunks).toString() }))
    stream.on('error', error => { if (head[':status'] === undefined) reject(error) })
    stream.end(body)
  })
}

t.test('files are written over HTTP/2, whether their length is announced or not', async t => {
  const [root, directory] = [await scratch(t), await scratch(t)]
  const { session } = await overHttp2(t, writableMount(root, directory))
  const large = Buffer.alloc(3_000_000, 'abcdefghij')
  t.match(await send(session, { ':method': 'PUT', ':path': '/files/a.txt' }, 'meow'), { status: 201, headers: { location: /\/files\/a\.txt$/ }, text: '' })
  t.equal((await ask(session, '/files/a.txt')).body.toString(), 'meow')
  t.match(await send(session, { ':method': 'PUT', ':path': '/files/a.txt', 'content-length': '5' }, 'purrs'), { status: 204 })
  t.equal((await ask(session, '/files/a.txt')).body.toString(), 'purrs')
  for (const [n, fields] of [{}, { 'content-length': String(large.length) }].entries()) {
    t.match(await send(session, { ':method': 'PUT', ':path': `/files/${n}.bin.txt`, 'content-digest': digestOf(large), ...fields }, large), { status: 201 })
    t.ok((await ask(session, `/files/${n}.bin.txt`)).body.equals(large))
  }
  t.match(await send(session, { ':method': 'PUT', ':path': '/files/empty.txt' }, ''), { status: 201 })
  t.equal((await ask(session, '/files/empty.txt')).body.length, 0)
  t.match(await send(session, { ':method': 'PUT', ':path': '/files/bad.txt', 'content-digest': digestOf('good') }, 'evil'), { status: 400, text: /"bad-digest"/ })
  const { body, headers } = form([{ filename: 'one.txt', body: '1' }, { filename: 'two.txt', body: large }])
  for (const [n, fields] of [{}, { 'content-length': String(body.length) }].entries()) {
    t.match(await send(session, { ':method': 'POST', ':path': `/files/${n}/`, ...headers, ...fields }, body), { status: 201 })
    t.ok((await ask(session, `/files/${n}/two.txt`)).body.equals(large))
  }
  t.match(await ask(session, '/files/a.txt', { ':method': 'DELETE', ...asWriter }), { status: 204 })
  t.equal((await ask(session, '/files/a.txt')).status, 404)
  const cut = session.request({ ...asWriter, ':method': 'PUT', ':path': '/files/cut.txt' })
  cut.on('error', () => {})
  cut.write('a'.repeat(300_000))
  t.ok(await eventually(() => filesIn(root).some(name => name.startsWith('.uploads'))), 'it is being written aside')
  cut.destroy()
  t.ok(await eventually(() => filesIn(root).every(name => !name.startsWith('.uploads'))), 'and then it is gone')
  t.notOk(filesIn(root).includes('cut.txt'))
})

t.test('an upload over HTTP/2 that is refused is told why, and the app can be closed', async t => {
  const [root, directory] = [await scratch(t), await scratch(t)]
  const { app, session } = await overHttp2(t, writableMount(root, directory, { maxBytes: 100_000 }))
  const huge = Buffer.alloc(1_000_000, 'a')
  const inForm = form([{ filename: 'b.txt', body: huge }])
  const attempts: Array<[Record<string, string>, Buffer, number]> = [
    [{ ':method': 'PUT', ':path': '/files/b.txt' }, huge, 413],
    [{ ':method': 'PUT', ':path': '/files/b.txt', 'content-length': String(huge.length) }, huge, 413],
    [{ ':method': 'POST', ':path': '/files/', ...inForm.headers }, inForm.body, 413],
    [{ ':method': 'PUT', ':path': '/files/b.html' }, huge, 415],
    [{ ':method': 'PUT', ':path': '/files/.b.txt' }, huge, 400],
    [{ ':method': 'PUT', ':path': '/files/b.txt', 'x-api-key': 'none' }, huge, 401],
    [{ ':method': 'PUT', ':path': '/nowhere/b.txt' }, huge, 404]
  ]
  for (const [headers, body, status] of attempts) {
    t.match(await send(session, headers, body), { status, headers: { 'content-type': /^application\/problem\+json/ } }, `${headers[':method']} ${headers[':path']} ${headers['content-length'] ?? ''}`)
  }
  t.match(await send(session, { ':method': 'PUT', ':path': '/files/after.txt' }, 'still here'), { status: 201 }, 'the session goes on')
  t.same(filesIn(root), ['after.txt'])
  const closed = app.close()
  session.close()
  await closed
  t.pass('it is closed')
})

/** Files that the writer may write to and everybody read. */
function writableMount (root: string, directory: string, writing: object = {}): MediaOptions {
  return { sources: { files: { driver: 'file', root } }, strategies, uploads: { directory }, mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { read: 'public', write: ['keys'] }, writing }] }
}

/** Files below a directory, those of ours too. */
function filesIn (root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))
}

t.test('over HTTP/2 with TLS: the same files, and nothing stays open', async t => {
  const large = Buffer.alloc(3_000_000, 'abcdefghij')
  const root = await scratch(t, { 'a.txt': 'meow', 'd/large.bin': large })
  const { session } = await overHttp2(t, oneMount(root, { listing: true, cors: { origins: ['https://a.example'] } }, {}, { largeFiles: { descriptorIdleMs: 50 } }))

  t.match(await ask(session, '/a.txt'), { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8', vary: 'Origin' }, body: Buffer.from('meow') })
  t.ok((await ask(session, '/d/large.bin')).body.equals(large))
  t.ok((await ask(session, '/d/large.bin', { range: 'bytes=7-2000000' })).body.equals(large.subarray(7, 2_000_001)))
  t.match(await ask(session, '/d/large.bin', { ':method': 'HEAD' }), { status: 200, headers: { 'content-length': '3000000' }, body: Buffer.alloc(0) })
  t.match(await ask(session, '/d/large.bin', { range: 'bytes=0-1,9-10' }), { status: 206, headers: { 'content-type': /^multipart/ } })
  t.match(JSON.parse((await ask(session, '/d/', { accept: 'application/json' })).body.toString()), { url: /^https:\/\/localhost:\d+\/d\/$/ })
  const aborted = session.request({ ':path': '/d/large.bin' })
  aborted.on('error', () => {})
  await new Promise(resolve => aborted.once('response', resolve))
  aborted.close(constants.NGHTTP2_CANCEL)
  t.ok(await eventually(() => openBelow(root) === 0))
})
