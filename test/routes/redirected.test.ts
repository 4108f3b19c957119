import fastify from 'fastify'
import t from 'tap'
import media from '../../app.ts'
import { ask, raw, serve, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { origin } from '../helpers/origin.ts'

async function redirecting (t: Test, mount: Record<string, unknown>, url = 'http://cdn.example:8080/base/'): Promise<Served> {
  return await serveMedia(t, { upstreams: { assets: { origins: [{ url }] } }, mounts: [{ prefix: '/cdn', upstream: 'assets', delivery: 'redirect', ...mount }] })
}

t.test('clients are sent to the origin, with the query and the cache rule that the mount chooses', async t => {
  const served = await redirecting(t, {})
  for (const method of ['GET', 'HEAD']) {
    t.match(await ask(served, '/cdn/a%2Fb.jpg?x=1', { method }), { status: 302, text: '', headers: { location: 'http://cdn.example:8080/base/a%2Fb.jpg?x=1', 'cache-control': 'no-cache', 'content-length': '0' } })
  }
  const chosen = await redirecting(t, { redirect: { status: 307, base: 'https://files.example/x', template: '/v1{path}?sig=1', query: 'drop', cache: '5m' } })
  t.match(await ask(chosen, '/cdn/cat.jpg?x=1'), { status: 307, headers: { location: 'https://files.example/x/v1/cat.jpg?sig=1', 'cache-control': 'public, max-age=300' } })
  t.match(await ask(await redirecting(t, { upstreamPath: '/deep' }), '/cdn/cat.jpg'), { headers: { location: 'http://cdn.example:8080/base/deep/cat.jpg' } })
  t.match(await ask(served, '/cdn/x', { method: 'POST', body: 'x' }), { status: 405 })
})

t.test('no redirect leads elsewhere', async t => {
  const served = await redirecting(t, {}, 'http://cdn.example')
  for (const path of ['//evil.example/%2e%2e', '//evil.example/x', '/\\\\evil.example', '/@evil.example', '/.evil.example', '/%0d%0aX-Injected:1', '/%5c%5cevil.example']) {
    const answer = await raw(served, `GET /cdn${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const location = /\r\nlocation: (.*)\r\n/i.exec(answer)?.[1]
    if (location === undefined) t.match(answer, /^HTTP\/1\.1 40[04]/, path)
    else t.equal(new URL(location, 'http://us.example').origin, 'http://cdn.example', path)
    t.notMatch(answer, /\r\nX-Injected/, path)
  }
})

t.test('auto is a proxy for who cannot follow, and says what decides', async t => {
  const far = await origin(t, (_request, response) => response.end('bytes'))
  const served = await redirecting(t, { delivery: 'auto', redirect: { proxyFor: ['range', 'cors', 'user-agent'], userAgents: ['vlc'] } }, far.url)
  const sent = await ask(served, '/cdn/film')
  t.match(sent, { status: 302, headers: { location: `${far.url}/film`, vary: 'Prefer, Range, Sec-Fetch-Mode, User-Agent' } })
  const cannotFollow: Array<Record<string, string>> = [{ range: 'bytes=0-' }, { prefer: 'proxy' }, { 'sec-fetch-mode': 'cors' }, { 'user-agent': 'VLC/3.0' }]
  for (const headers of cannotFollow) {
    t.match(await ask(served, '/cdn/film', { headers }), { status: 200, text: 'bytes', headers: { vary: 'Prefer, Range, Sec-Fetch-Mode, User-Agent' } }, JSON.stringify(headers))
  }
})

t.test('a hook names the upstream, and neither it nor an origin that drains leads out of the base', async t => {
  const upstreams = { assets: { origins: [{ url: 'http://a.example', drain: true }, { url: 'http://b.example' }] }, node: { origins: [{ url: 'http://10.1.2.3:9/b' }] } }
  const serving = async (redirect: object): Promise<Served> => await serve(t, async app => await app.register(media, {
    upstreams,
    mounts: [{ prefix: '/cdn', delivery: 'redirect', upstream: 'assets', redirect }],
    upstreamHooks: { '/cdn/': { resolve: request => ({ node: 'node', none: 'nowhere' })[String((request.query as Record<string, string>)['to'])] } }
  }))
  const free = await serving({})
  t.equal((await ask(free, '/cdn/x')).headers.location, 'http://b.example/x')
  t.equal((await ask(free, '/cdn/x?to=node')).headers.location, 'http://10.1.2.3:9/b/x?to=node')
  t.equal((await ask(free, '/cdn/x?to=none')).status, 500)
  t.equal((await ask(await serving({ base: 'https://cdn.example.com' }), '/cdn/x?to=node')).headers.location, 'https://cdn.example.com/x?to=node')
})

t.test('hooks of no mount are refused at the start', async t => {
  for (const key of ['/lvie', '/files']) {
    const app = fastify()
    await t.rejects(async () => {
      await app.register(media, { upstreams: { assets: { origins: [{ url: 'http://127.0.0.1:1' }] } }, sources: { files: { driver: 'file', root: '.' } }, mounts: [{ prefix: '/live', delivery: 'proxy', upstream: 'assets' }, { prefix: '/files', source: 'files' }], upstreamHooks: { [key]: {} } })
      await app.ready()
    }, { name: 'ConfigError', message: /upstreamHooks\["\/\w+"\]: Expected the prefix of a mount with an upstream/ })
    await app.close()
  }
})
