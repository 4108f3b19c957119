import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import fastify, { type FastifyInstance } from 'fastify'
import media from '../../app.ts'
import { oneMount, scratch } from '../helpers/app.ts'
import { eventually, openBelow } from '../helpers/process.ts'

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

t.test('over HTTP/2 with TLS: the same files, and nothing stays open', async t => {
  const keys = await scratch(t)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-keyout', join(keys, 'key.pem'), '-out', join(keys, 'cert.pem')], { stdio: 'ignore' })
  const large = Buffer.alloc(3_000_000, 'abcdefghij')
  const root = await scratch(t, { 'a.txt': 'meow', 'd/large.bin': large })
  const app = fastify({ http2: true, https: { key: readFileSync(join(keys, 'key.pem')), cert: readFileSync(join(keys, 'cert.pem')) } }) as unknown as FastifyInstance
  t.teardown(async () => await app.close())
  app.register(media, oneMount(root, { listing: true, cors: { origins: ['https://a.example'] } }, {}, { largeFiles: { descriptorIdleMs: 50 } }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`https://localhost:${(app.server.address() as AddressInfo).port}`, { rejectUnauthorized: false })
  t.teardown(() => session.close())

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
