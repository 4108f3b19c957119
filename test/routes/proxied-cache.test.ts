import { createHash } from 'node:crypto'
import t from 'tap'
import { ask, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { purge } from '../../lib/purge.ts'
import { content, file, origin, rawOrigin, type Origin } from '../helpers/origin.ts'

/** A mount that keeps what may be kept. */
async function caching (t: Test, url: string, { mount = {}, rest = {} }: { mount?: Record<string, unknown>, rest?: Record<string, unknown> } = {}): Promise<Served> {
  const directory = await scratch(t)
  return await serveMedia(t, {
    upstreams: { assets: { origins: [{ url }], retries: 0 } },
    httpCache: { directory },
    mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets', sharedCache: {}, ...mount }],
    ...rest
  })
}

async function dated (t: Test, fields: Record<string, string> = { 'cache-control': 'max-age=60' }): Promise<Origin> {
  let count = 0
  return await origin(t, (request, response) => {
    for (const [name, value] of Object.entries(fields)) response.setHeader(name, value)
    count++
    response.setHeader('etag', `"${count}"`).setHeader('content-type', 'text/plain').end(`${count} ${request.url}`)
  })
}

t.test('what may be kept is asked for once, and answers conditionals, ranges and HEAD', async t => {
  const far = await dated(t)
  const served = await caching(t, far.url)
  t.match(await ask(served, '/cdn/x'), { status: 200, text: '1 /x', headers: { 'cache-status': /fwd=uri-miss.*stored/, via: '1.1 fastify-media' } })
  t.match(await ask(served, '/cdn/x'), { status: 200, text: '1 /x', headers: { 'cache-status': /hit/, age: /^\d+$/, 'content-length': '4', etag: '"1"', 'content-type': 'text/plain' } })
  t.match(await ask(served, '/cdn/x', { headers: { range: 'bytes=0-0' } }), { status: 206, text: '1', headers: { 'content-range': 'bytes 0-0/4' } })
  const unchanged = await ask(served, '/cdn/x', { headers: { 'if-none-match': '"1"' } })
  t.match(unchanged, { status: 304, headers: { etag: '"1"' } })
  t.notOk('content-type' in unchanged.headers)
  t.match(await ask(served, '/cdn/x', { method: 'HEAD' }), { status: 200, text: '', headers: { 'content-length': '4' } })
  t.equal(far.requests.length, 1)
  t.match(await ask(served, '/cdn/x?y'), { text: '2 /x?y' })
})

t.test('a precondition that is false, or a range beyond the end, of what is kept is no failure of the upstream', async t => {
  const far = await dated(t)
  const told: string[] = []
  const served = await caching(t, far.url, { rest: { upstreamHooks: { '/cdn': { onUpstreamError: ({ code }: { code: string }) => { told.push(code) } } } } })
  await ask(served, '/cdn/x')
  t.match(await ask(served, '/cdn/x', { headers: { 'if-match': '"other"' } }), { status: 412 })
  t.match(await ask(served, '/cdn/x', { headers: { range: 'bytes=100-' } }), { status: 416 })
  t.equal(far.requests.length, 1)
  t.same(told, [])
})

t.test('500 clients of one URL that is not there yet are one request to the origin', async t => {
  const slow = await origin(t, async (_request, response) => {
    await new Promise(resolve => { setTimeout(resolve, 200) })
    response.setHeader('cache-control', 'max-age=60').end('slow')
  })
  const served = await caching(t, slow.url)
  const answers = await Promise.all(Array.from({ length: 500 }, async () => (await ask(served, '/cdn/x')).text))
  t.same([...new Set(answers)], ['slow'])
  t.equal(slow.requests.length, 1)
})

t.test('what is for one client is asked for each time', async t => {
  for (const fields of [{ 'cache-control': 'private, max-age=60' }, { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }, { 'cache-control': 'no-store' }] as Array<Record<string, string>>) {
    const far = await dated(t, fields)
    const served = await caching(t, far.url)
    for (const text of ['1 /x', '2 /x']) t.match(await ask(served, '/cdn/x'), { text }, JSON.stringify(fields))
  }
  const far = await dated(t)
  const served = await caching(t, far.url)
  for (const text of ['1 /x', '2 /x']) t.match(await ask(served, '/cdn/x', { headers: { authorization: 'Bearer x' } }), { text }, 'authorised')
})

t.test('a large body goes to the first client while it is kept, and is whole for the next', async t => {
  const film = content(20_000_000)
  const far = await rawOrigin(t, file(film, { etag: '"f"', fields: { 'Cache-Control': 'max-age=60' } }))
  const served = await caching(t, far.url)
  for (let time = 0; time < 2; time++) {
    const { headers, body } = await ask(served, '/cdn/film')
    t.equal(body.length, film.size, String(headers['cache-status']))
    t.equal(createHash('sha256').update(body).digest('hex'), film.hash)
  }
  t.same((await ask(served, '/cdn/film', { headers: { range: 'bytes=10000000-10000999' } })).body, film.bytes(10_000_000, 10_001_000))
  t.equal(far.requests.length, 1)
})

t.test('promises about files hold for what is passed on, and for what is kept', async t => {
  const far = await dated(t)
  const digest = `sha256-${createHash('sha256').update('1 /good').digest('base64')}`
  const served = await caching(t, far.url, { mount: { integrity: { files: { 'good': digest, 'bad': digest }, mandatory: true } } })
  t.match(await ask(served, '/cdn/good'), { status: 200, text: '1 /good' })
  t.match(await ask(served, '/cdn/good'), { headers: { 'cache-status': /hit/ } })
  t.match(await ask(served, '/cdn/bad'), { status: 502, text: /upstream-content/ })
  t.match(await ask(served, '/cdn/bad'), { status: 502 })
  t.match(await ask(served, '/cdn/other'), { status: 404 })
  t.equal(far.requests.length, 3)
})

t.test('what is kept is the origin\'s, and what clients get is the mount\'s', async t => {
  const far = await origin(t, (request, response) => {
    if (request.url === '/moved') return response.writeHead(301, { location: `http://${request.headers.host}/there`, 'cache-control': 'max-age=60' }).end()
    return response.setHeader('content-type', 'text/html').setHeader('cache-control', 'max-age=60').end(`<a href="http://${request.headers.host}/x">`)
  })
  const served = await caching(t, far.url, { mount: { rewrite: { urls: true } } })
  for (let time = 0; time < 2; time++) {
    t.match(await ask(served, '/cdn/moved'), { status: 301, headers: { location: '/cdn/there' } })
    t.match(await ask(served, '/cdn/page'), { text: '<a href="/cdn/x">' })
  }
  t.equal(far.requests.length, 2)
})

t.test('what is changed by way of a gateway is forgotten by the mounts of the same upstream', async t => {
  const far = await dated(t)
  const served = await caching(t, far.url, { rest: { mounts: [
    { prefix: '/cdn', delivery: 'proxy', upstream: 'assets', upstreamPath: '/files', sharedCache: {} },
    { prefix: '/api', delivery: 'gateway', upstream: 'assets' },
    { prefix: '/kept', delivery: 'gateway', upstream: 'assets', sharedCache: {} }
  ] } })
  for (const path of ['/cdn/x', '/cdn/x', '/kept/files/x', '/kept/files/x', '/cdn/y']) await ask(served, path)
  t.equal(far.requests.length, 3)
  t.equal((await ask(served, '/api/files/x', { method: 'PUT', body: 'new' })).status, 200)
  t.match((await ask(served, '/cdn/x')).text, '5 /files/x')
  t.match((await ask(served, '/kept/files/x')).text, '6 /files/x')
  t.match((await ask(served, '/cdn/y')).text, '3 /files/y', 'and no other')
  await ask(served, '/kept/files/x', { method: 'DELETE' })
  t.match((await ask(served, '/cdn/x')).text, '8 /files/x')
})

t.test('a purge from outside is heard by a mount, and by a source with its variants', async t => {
  const far = await dated(t)
  const directory = await scratch(t)
  const served = await caching(t, far.url, { rest: {
    httpCache: { directory },
    sources: { far: { driver: 'http', upstream: 'assets', path: '/base', sharedCache: {} } },
    mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets', sharedCache: {} }, { prefix: '/far', source: 'far' }]
  } })
  t.match((await ask(served, '/cdn/x')).text, '1 /x')
  t.match((await ask(served, '/far/x.txt')).text, '2 /base/x.txt')
  t.match(await purge('/cdn/', { directory }), { behind: [] })
  t.match((await ask(served, '/cdn/x')).text, '3 /x')
  t.match((await ask(served, '/far/x.txt')).text, '2 /base/x.txt')
  await purge('/far/x.txt', { directory })
  t.match((await ask(served, '/far/x.txt')).text, '4 /base/x.txt')
})
