// The same as in ssrf-addresses.test.ts, by requests to a mount: what a client sends goes through
// the router, the grammars of pictures and the source, and nothing in between may read it otherwise.
// Next.js CVE-2024-34351 (Host), Altair CVE-2024-56200 (open by default).
import t from 'tap'
import { ask, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { inside, loopbackSpellings } from '../helpers/loopback.ts'

async function remote (t: Test, source: Record<string, unknown>): Promise<Served> {
  return await serveMedia(t, {
    sources: { any: { driver: 'remote', types: ['image/*', 'text/plain', 'application/octet-stream'], ...source } as never },
    images: { workers: 1, cache: { directory: await scratch(t) } },
    mounts: [{ prefix: '/remote', source: 'any' }]
  })
}

/** A request target holds ASCII: the rest is percent-encoded, as browsers do. */
const ascii = (text: string): string => text.replaceAll(/[^\u0021-\u007e]/g, encodeURIComponent)

t.test('no spelling of loopback is connected to by a mount', async t => {
  const secret = await inside(t)
  const served = await remote(t, { allow: [`http://*.img.example:${secret.port}`, 'https://8.8.4.4'] })
  for (const host of loopbackSpellings) {
    const url = `http://${host}:${secret.port}/cat.jpg`
    for (const path of [`/remote/${ascii(url)}`, `/remote/${encodeURIComponent(url)}`, `/remote/${Buffer.from(url).toString('base64url')}?w=32`, `/_ipx/w_32/remote/${ascii(url)}`, `/remote/_ipx/w_32/${encodeURIComponent(url)}`]) {
      const { status, text } = await ask(served, path, { headers: { host: `img.example:${secret.port}`, 'x-forwarded-host': 'a.img.example' } })
      t.ok([400, 403, 404].includes(status), `${path} is ${status}`)
      t.notMatch(text, /secret|127\.0\.0\.1|"stack"/, path)
    }
  }
  t.equal(secret.connected, 0)
})

t.test('the operator alone opens what is inside, and only what is named', async t => {
  const secret = await inside(t)
  const served = await remote(t, { allow: [`http://127.0.0.1:${secret.port}`], addresses: 'any' })
  const url = `http://127.0.0.1:${secret.port}/a.txt`
  t.match(await ask(served, `/remote/${url}`), { status: 200, text: 'secret' })
  t.equal(secret.connected, 1)
  for (const other of [`http://localhost:${secret.port}/`, `http://[::1]:${secret.port}/`, `http://127.0.0.2:${secret.port}/`, `https://127.0.0.1:${secret.port}/`, 'http://127.0.0.1/']) t.equal((await ask(served, `/remote/${other}`)).status, 403, other)
  t.equal(secret.connected, 1)
})

t.test('a rule for what is inside is a mistake of the configuration', async t => {
  for (const rule of ['http://127.0.0.1:8080', 'http://localhost', 'http://169.254.169.254', 'http://[::1]', 'http://*.internal', 'http://2130706433']) {
    await t.rejects(remote(t, { allow: [rule] }), { message: /sources\.any\.allow\[0\]: Expected a public host/ }, rule)
  }
})

t.test('an upstream that may only be public is not asked where it is not', async t => {
  const secret = await inside(t)
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const served = await serveMedia(t, {
      upstreams: { assets: { origins: [{ url: `http://${host}:${secret.port}` }], addresses: 'public' } },
      mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets' }]
    })
    const { status, text } = await ask(served, '/cdn/a.txt')
    t.ok([403, 502].includes(status), `${host}: ${status}`)
    t.notMatch(text, /"secret"|127\.0\.0\.1|::1|localhost/)
  }
  t.equal(secret.connected, 0)
})
