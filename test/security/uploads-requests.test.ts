// Requests that would write where, or as whom, nobody meant: forms that pages of other sites send, paths that are
// judged as one and written as another, forms that never end, refusals that nobody reads.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { ask, raw, scratch, type Answer, type Served, type Test } from '../helpers/app.ts'
import { eventually, openBelow } from '../helpers/process.ts'
import { inSeconds, token } from '../helpers/tokens.ts'
import { asWriter, form, put, serveWritable } from '../helpers/writable.ts'

const secret = randomBytes(48).toString('base64')

/** A server whose writers prove who they are by where they are, or by a token for some paths. */
async function serveOthers (test: Test, mount: Record<string, unknown> = {}): Promise<Served & { root: string }> {
  return await serveWritable(test, {
    mount: { access: { read: 'public', write: ['office', 'staff'] }, ...mount },
    rest: { strategies: { office: { driver: 'ip', allow: ['192.0.2.1'] }, near: { driver: 'ip', allow: ['127.0.0.1'] }, staff: { driver: 'jwt', algorithms: ['HS256'], key: secret } } }
  })
}

const bearer = (...paths: string[]): Record<string, string> => ({ authorization: `Bearer ${token({ alg: 'HS256', key: secret, claims: { sub: 'ann', exp: inSeconds(600), paths } })}` })

async function post (served: Served, path: string, headers: Record<string, string>, name = 'a.txt'): Promise<Answer> {
  const { body, headers: own } = form([{ filename: name, body: 'x' }])
  return await ask(served, path, { method: 'POST', body, headers: { ...own, ...headers } })
}

t.test('pages of other sites send no forms in the name of whoever looks at them', async t => {
  const served = await serveOthers(t, { access: { write: ['near'] }, cors: { origins: ['https://app.example.com'] } })
  const own = `http://127.0.0.1:${served.port}`
  const from: Array<[Record<string, string>, number]> = [
    [{}, 201], [{ origin: own }, 201], [{ 'sec-fetch-site': 'same-origin', origin: own }, 201], [{ 'sec-fetch-site': 'none' }, 201], [{ 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' }, 201],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403], [{ 'sec-fetch-site': 'same-site', origin: 'http://other.127.0.0.1' }, 403], [{ origin: 'https://evil.example' }, 403], [{ origin: 'null' }, 403], [{ 'sec-fetch-site': 'cross-site' }, 403]
  ]
  for (const [n, [headers, status]] of from.entries()) t.equal((await post(served, '/files/', { host: `127.0.0.1:${served.port}`, ...headers }, `${n}.txt`)).status, status, JSON.stringify(headers))
})

t.test('who may write one file writes no other below its name, nor beside it', async t => {
  const served = await serveOthers(t)
  const one = bearer('/files/u9/cat.txt')
  t.equal((await ask(served, '/files/u9/cat.txt', { method: 'PUT', body: 'x', headers: one })).status, 201)
  t.equal((await ask(served, '/files/u9/cat.txt', { method: 'DELETE', headers: one })).status, 204)
  for (const path of ['/files/u9/cat.txt', '/files/u9/cat.txt/', '/files/u9/', '/files']) t.equal((await post(served, path, one)).status, 403, path)
  const tus = { 'tus-resumable': '1.0.0', 'upload-length': '1', 'upload-metadata': `filename ${Buffer.from('a.txt').toString('base64')}` }
  t.equal((await ask(served, '/files/u9/cat.txt', { method: 'POST', headers: { ...one, ...tus } })).status, 403)
  const below = bearer('/files/u9/')
  t.equal((await post(served, '/files/u9', below)).status, 201, 'a directory is one with and without its slash')
  t.equal((await post(served, '/files/u9/', below, 'b.txt')).status, 201)
  t.equal((await post(served, '/files/u9/../u1/', below)).status, 400)
  t.equal((await post(served, '/files/u9/', below, '../u1/a.txt')).status, 400)
  t.equal((await ask(served, '/files/u1/a.txt', { method: 'PUT', body: 'x', headers: below })).status, 403)
})

t.test('what would be read as a variant of another file is not written', async t => {
  const served = await serveOthers(t)
  const headers = bearer('/files/u1/')
  for (const path of ['/files/_ipx/u2/u1/a.txt', '/_ipx/w_10/files/u1/a.txt']) {
    for (const method of ['PUT', 'DELETE']) t.ok((await ask(served, path, { method, body: 'x', headers })).status >= 400, `${method} ${path}`)
  }
  t.match(JSON.parse((await post(served, '/files/_ipx/u2/u1/', headers)).text), { status: 400, code: 'bad-name' })
  t.equal((await put(await serveWritable(t), '/files/_ipx/a.txt', 'x')).status, 400)
})

t.test('that a request is one of the protocol lets nobody see what they may not read', async t => {
  const picture = await sharp({ create: { width: 20, height: 20, channels: 3, background: 'red' } }).png().toBuffer()
  const served = await serveWritable(t, { files: { 'secret.png': picture }, mount: { access: { read: 'staff', write: ['keys'] } }, rest: { strategies: { staff: { driver: 'jwt', algorithms: ['HS256'], key: secret }, keys: (await import('../helpers/writable.ts')).strategies.keys } } })
  for (const path of ['/files/secret.png', '/files/_ipx/w_16/secret.png', '/_ipx/w_16/files/secret.png', '/files/secret.png?w=16']) {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await ask(served, path, { method, headers: { ...asWriter, 'tus-resumable': '1.0.0' } })
      t.ok(status >= 400 && headers.etag === undefined, `${method} ${path}: ${status}`)
    }
  }
})

t.test('two files of one name in a form are none', async t => {
  const served = await serveWritable(t)
  const { body, headers } = form([{ filename: 'a.txt', body: '1' }, { filename: 'b.txt', body: '2' }, { filename: 'a.txt', body: '3' }])
  t.equal((await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } })).status, 409)
  for (const name of ['a.txt', 'b.txt']) t.equal((await ask(served, `/files/${name}`)).status, 404)
})

t.test('a form that never ends is ended, and holds few descriptors meanwhile', async t => {
  const served = await serveWritable(t, { rest: { uploads: { directory: await scratch(t), stallMs: 400, maxConcurrent: 1 } } })
  const socket = connect(served.port, '127.0.0.1')
  await once(socket, 'connect')
  const { body, headers } = form(Array.from({ length: 60 }, (_, n) => ({ filename: `${n}.txt`, body: 'x'.repeat(100_000) })))
  socket.write(`POST /files/ HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Type: ${headers['content-type']}\r\nContent-Length: 100000000\r\nConnection: close\r\n\r\n`)
  socket.write(body.subarray(0, -24))
  const answer = once(socket, 'data') as Promise<[Buffer]>
  t.ok(await eventually(async () => (await put(served, '/files/busy.txt', 'x')).status === 503), 'it holds its place')
  t.ok(openBelow(served.root) < 20, `${openBelow(served.root)} descriptors`)
  t.match((await answer)[0].toString(), /^HTTP\/1\.1 408 /)
  socket.destroy()
  t.ok(await eventually(async () => (await put(served, '/files/free.txt', 'x')).status < 300), 'and gives it back')
  t.same((await readdir(served.root)).filter(name => !name.startsWith('.')).toSorted(), ['free.txt'])
})

t.test('who sends more than is taken can go on sending, and reads why', async t => {
  const served = await serveWritable(t, { writing: { maxBytes: 100_000 } })
  const socket = connect(served.port, '127.0.0.1')
  const answer = once(socket, 'data') as Promise<[Buffer]>
  socket.write(`PUT /files/a.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nTransfer-Encoding: chunked\r\n\r\n`)
  const chunk = Buffer.concat([Buffer.from(`${(1_000_000).toString(16)}\r\n`), Buffer.alloc(1_000_000, 'a'), Buffer.from('\r\n')])
  for (let n = 0; n < 20; n++) if (!socket.write(chunk)) await once(socket, 'drain')
  const [bytes] = await answer
  t.match(bytes.toString(), /^HTTP\/1\.1 413 /)
  const closed = once(socket, 'close')
  socket.end('0\r\n\r\n')
  t.same(await closed, [false], 'the connection ends without an error')
})

t.test('what is no picture when it comes does not become one by its name', async t => {
  const broken = (await sharp({ create: { width: 900, height: 900, channels: 3, background: 'red' } }).jpeg().toBuffer()).subarray(0, 2000)
  const served = await serveWritable(t, { rest: { api: { access: { read: ['keys'], write: ['keys'] } } } })
  t.equal((await put(served, '/files/a.bin', broken)).status, 201)
  const moved = await ask(served, '/api/v1/move', { method: 'POST', body: JSON.stringify({ from: '/files/a.bin', to: '/files/a.jpg' }), headers: { ...asWriter, 'content-type': 'application/json' } })
  t.match(JSON.parse(moved.text), { status: 415, code: 'unsupported-media-type' })
  const renamed = await ask(served, '/api/v1/move', { method: 'POST', body: JSON.stringify({ from: '/files/a.bin', to: '/files/b/c.bin' }), headers: { ...asWriter, 'content-type': 'application/json' } })
  t.equal(renamed.status, 201, renamed.text)
  t.ok((await ask(served, '/files/b/c.bin')).body.equals(broken))
})

t.test('what processes that ended have left of uploads is removed at the start', async t => {
  const state = await scratch(t)
  await mkdir(join(state, 'spool'))
  for (const name of ['old', 'new']) await writeFile(join(state, 'spool', name), 'x')
  await utimes(join(state, 'spool', 'old'), 0, 0)
  const served = await serveWritable(t, { rest: { uploads: { directory: state, expiryMs: 100_000 } } })
  t.ok(await eventually(async () => (await readdir(join(state, 'spool'))).join() === 'new'))
  t.equal((await put(served, '/files/a.txt', 'x')).status, 201)
})

t.test('a request that waits to be told to go on is refused before it sends', async t => {
  const served = await serveWritable(t)
  t.match(await raw(served, 'PUT /files/a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello'), /^HTTP\/1\.1 401 /)
})
