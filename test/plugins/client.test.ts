import t from 'tap'
import client, { type ClientOptions } from '../../plugins/client.ts'
import { ask, raw, serve, type Served, type Test } from '../helpers/app.ts'

async function telling (t: Test, options: ClientOptions): Promise<Served> {
  return await serve(t, async app => {
    await app.register(client, options)
    app.get('/', async request => ({ client: request.client, base: request.publicBase ?? null }))
  })
}

const forwarded = { 'x-forwarded-for': '203.0.113.9, 198.51.100.2', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'pics.example', 'x-forwarded-prefix': '/media' }

t.test('from a trusted proxy: the client, and the URL it used', async t => {
  const served = await telling(t, { trustedProxies: ['127.0.0.1', '198.51.100.0/24'] })
  t.match(JSON.parse((await ask(served, '/', { headers: forwarded })).text), { client: { address: '203.0.113.9', scheme: 'https', host: 'pics.example', prefix: '/media' }, base: 'https://pics.example/media' })
  t.match(JSON.parse((await ask(served, '/')).text), { client: { address: '127.0.0.1', scheme: 'http', host: `127.0.0.1:${served.port}`, prefix: '' }, base: null })
})

t.test('the authority of a target in absolute form takes the place of Host', async t => {
  const served = await telling(t, {})
  t.match(JSON.parse((await ask(served, 'http://named.example:8080/', { headers: { host: 'other.example' } })).text), { client: { host: 'named.example:8080' } })
})

t.test('from anyone else: only what the connection shows', async t => {
  const served = await telling(t, { publicUrl: 'https://configured.example/' })
  t.match(JSON.parse((await ask(served, '/', { headers: forwarded })).text), { client: { address: '127.0.0.1', scheme: 'http', prefix: '' }, base: 'https://configured.example' })
  const nobody = await telling(t, {})
  t.match(JSON.parse((await ask(nobody, '/', { headers: { ...forwarded, host: 'named.example:81' } })).text), { client: { host: 'named.example:81' }, base: null })
})

t.test('a request names one valid host, or is refused (RFC 9112 §3.2)', async t => {
  const served = await telling(t, {})
  const status = async (head: string): Promise<string | undefined> => /^HTTP\/1\.1 (\d+)/.exec(await raw(served, `GET / HTTP/1.1\r\n${head}Connection: close\r\n\r\n`))?.[1]
  for (const head of ['', 'Host: a\r\nHost: b\r\n', 'Host: a\r\nhOST: a\r\n', 'Host: a b\r\n', 'Host: a/c\r\n', 'Host: user@a\r\n', 'Host: "\r\n']) t.equal(await status(head), '400', JSON.stringify(head))
  for (const head of ['Host: a\r\n', 'Host: \r\n', 'Host: a:80\r\n', 'Host: [::1]:80\r\nMine: x\r\n']) t.equal(await status(head), '200', JSON.stringify(head))
  t.match(await raw(served, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /, 'HTTP/1.0 has no Host')
})

t.test('registered again further in, the first one counts', async t => {
  const served = await serve(t, async app => {
    await app.register(client, { publicUrl: 'https://outer.example' })
    await app.register(client, { publicUrl: 'https://inner.example' })
    app.get('/', async request => ({ base: request.publicBase }))
  })
  t.match(JSON.parse((await ask(served, '/')).text), { base: 'https://outer.example' })
})
