/**
 * A policy service decides, and may be slow, gone, broken or in other hands; or made so, by whoever would rather not
 * be asked. No word of it, or one that can be read in two ways, is no permission: 503, for as long as it lasts and no
 * longer, and never for what does not need it. What it said is believed for a short time, for requests of which it
 * could tell no difference.
 */
import t, { type Test as Tap } from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, raw, scratch, serveMedia, type Served } from '../helpers/app.ts'
import { origin, rawOrigin, type Script, drip, flush, head } from '../helpers/origin.ts'
import { dies, diesMidway, endless, policyServer, says, silent, type Misbehaviour, type PolicyServer } from '../helpers/policy-server.ts'
import { eventually } from '../helpers/process.ts'

const reader = { headers: { authorization: 'Bearer reader-with-a-long-secret-0123456789' } }
const stranger = { headers: { authorization: 'Bearer stranger-with-a-secret-9876543210' } }
const protocols = ['opa', 'request'] as const

const urlOf = (policy: PolicyServer, protocol: typeof protocols[number]): string => protocol === 'opa' ? policy.url : policy.subrequestUrl
const mayRead = (t: Tap): Promise<PolicyServer> => policyServer(t, ({ method, path, headers }) => headers.authorization === reader.headers.authorization && method === 'GET' && path[0] === 'private' && path[1] === 'a.txt')

async function protecting (t: Tap, forward: Record<string, unknown>): Promise<Served> {
  const root = await scratch(t, { 'a.txt': 'a secret', 'b.txt': 'b secret', 'open.txt': 'open' })
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: { policy: { driver: 'forward', cacheMs: 0, ...forward }, here: { driver: 'ip', allow: ['127.0.0.0/8'] } },
    mounts: [{ source: 'files' }, { prefix: '/private', source: 'files', access: { read: ['policy'] } }, { prefix: '/either', source: 'files', access: { read: ['policy', 'here'] } }]
  } as unknown as MediaOptions)
}

/** Nobody in, and nothing told but that. */
async function closed (t: Tap, served: Served, way: string): Promise<void> {
  for (const who of [reader, stranger, {}]) {
    const answer = await ask(served, '/private/a.txt', who)
    t.match(answer, { status: 503, headers: { 'cache-control': 'no-store', 'retry-after': /^\d+$/, 'content-type': /problem/ } }, way)
    t.notMatch(answer.text, /secret|policy|127\.0\.0\.1|stack/)
  }
  t.same([await ask(served, '/open.txt'), await ask(served, '/either/a.txt', reader)].map(({ status }) => status), [200, 200], `${way}: what does not rest on it is served`)
  t.notMatch(JSON.stringify(served.logs), /with-a-long-secret|0123456789|with-a-secret/, 'no credential is in the log')
}

t.test('it lets in whom it allows, and nobody else', async t => {
  for (const protocol of protocols) {
    const policy = await mayRead(t)
    const served = await protecting(t, { url: urlOf(policy, protocol), protocol })
    t.match(await ask(served, '/private/a.txt', reader), { status: 200, text: 'a secret', headers: { 'cache-control': /^private/, 'vary': /Authorization/ } })
    for (const [path, who] of [['/private/a.txt', stranger], ['/private/b.txt', reader], ['/private/', reader]] as const) t.match(await ask(served, path, who), { status: 403, headers: { 'www-authenticate': undefined } }, path)
    const anonymous = await ask(served, '/private/a.txt')
    if (protocol === 'opa') t.match(anonymous, { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media"' } }, 'it has no word for that: who sent nothing is asked for credentials')
    else t.equal(anonymous.status, 403)
    t.notMatch(anonymous.text, /secret|policy/)
    t.equal((await ask(served, '/private/a.txt', { method: 'HEAD', ...reader })).status, 403, 'it was allowed GET alone')
    t.match(served.logs.find(({ code }) => code === 'forbidden'), { reason: 'policy: refused by the policy' })
    t.notMatch(JSON.stringify(served.logs), /with-a-long-secret|with-a-secret/)
  }
})

const ways: Record<string, Misbehaviour> = {
  'never says a word': silent,
  'begins and does not end': endless,
  'dies': dies,
  'dies once the permission is out': diesMidway,
  'fails': says('{"result": true}', 500),
  'moved': says('{"result": true}', 302, { location: 'http://127.0.0.1:1/' }),
  'sends megabytes': says(`{"result": true, "pad": "${'x'.repeat(1_000_000)}"}`, 418)
}
/** Of OPA, where the body is what counts. */
const lies: Record<string, Misbehaviour> = {
  'answers 201': says('{"result": true}', 201),
  'answers 204': says('', 204),
  'sends nothing': says(''),
  'sends a page': says('<h1>true</h1>', 200, { 'content-type': 'text/html' }),
  'sends a word': says('true'),
  'sends a list': says('[{"result": true}]'),
  'says yes': says('{"result": "true"}'),
  'says one': says('{"result": 1}'),
  'says list': says('{"result": [true]}'),
  'allows by text': says('{"result": {"allow": "true"}}'),
  'allows by number': says('{"result": {"allow": 1}}'),
  'names nobody': says('{"result": {"allow": true, "principal": {"name": "root"}}}'),
  'breaks the log': says('{"result": {"allow": true, "principal": "a\\u0000\\nb"}}'),
  'gives scopes as text': says('{"result": {"allow": true, "scopes": "all"}}'),
  'sends half': says('{"result": true'),
  'sends two': says('{"result": true}{"result": true}'),
  'is no UTF-8': says(Buffer.from([...Buffer.from('{"result": true, "a": "'), 0xff, ...Buffer.from('"}')])),
  'sends megabytes that allow': says(`{"result": true, "pad": "${'x'.repeat(1_000_000)}"}`)
}

t.test('slow, dead or lying it opens nothing, and is well again at once', async t => {
  for (const protocol of protocols) {
    const policy = await mayRead(t)
    const served = await protecting(t, { url: urlOf(policy, protocol), protocol, timeoutMs: 300 })
    for (const [way, how] of Object.entries(protocol === 'opa' ? { ...ways, ...lies } : ways)) {
      policy.misbehave(how)
      await closed(t, served, `${protocol}: ${way}`)
      policy.misbehave()
      await eventually(async () => (await ask(served, '/private/a.txt', reader)).status === 200)
      t.equal((await ask(served, '/private/a.txt', stranger)).status, 403, 'well again')
    }
    t.ok(served.logs.filter(({ msg, level }) => msg === 'The policy service did not decide: nobody it is asked about gets in' && level === 40).length > 0)
  }
})

t.test('what says no HTTP, hangs in its head or was never there opens nothing either', async t => {
  const gone = await origin(t, (_request, response) => { response.end() })
  await gone.close()
  const scripts: Script[] = [
    async ({ socket }) => { await flush(socket, 'yes\r\n\r\n'); socket.end() },
    async ({ socket }) => { await drip(socket, `${head(200, { 'Content-Length': 16 })}{"result": true}`, { everyMs: 50 }) },
    async ({ socket }) => { await flush(socket, `${head(200, { 'Content-Length': 160 })}{"result": true}`); socket.end() },
    async ({ socket }) => { await flush(socket, `${head(200, { 'Transfer-Encoding': 'chunked' })}10\r\n{"result": true}\r\n`); socket.end() }
  ]
  const urls = [gone.url, ...await Promise.all(scripts.map(async script => (await rawOrigin(t, script)).url))]
  for (const [place, url] of urls.entries()) await closed(t, await protecting(t, { url: `${url}/v1/data/media/allow`, timeoutMs: 300 }), `way ${place}`)
})

t.test('what it said is believed for a short time, by all that it was told', async t => {
  for (const protocol of protocols) {
    let allowed = true
    const policy = await policyServer(t, ({ headers }) => headers.authorization === reader.headers.authorization && allowed)
    const served = await protecting(t, { url: urlOf(policy, protocol), protocol, cacheMs: 60_000 })
    for (let count = 0; count < 5; count++) t.equal((await ask(served, '/private/a.txt', reader)).status, 200)
    t.equal(policy.requests.length, 1, 'asked once')
    const different: Array<[path: string, options: Parameters<typeof ask>[2], status: number]> = [
      ['/private/a.txt', stranger, 403], ['/private/a.txt', {}, protocol === 'opa' ? 401 : 403], ['/private/b.txt', reader, 200], ['/private/a.txt', { method: 'HEAD', ...reader }, 200], ['/private/a.txt?x', reader, 200],
      ['/private/a.txt', { headers: { ...reader.headers, cookie: 'a=b' } }, 200], ['/private/a.txt', { headers: { authorization: `${reader.headers.authorization} x` } }, 403]
    ]
    for (const [place, [path, options, status]] of different.entries()) {
      t.equal((await ask(served, path, options)).status, status)
      t.equal(policy.requests.length, 2 + place, `${path} is another question`)
    }
    allowed = false
    t.equal((await ask(served, '/private/a.txt', reader)).status, 200, 'still believed')
    const brief = await protecting(t, { url: urlOf(policy, protocol), protocol, cacheMs: 500 })
    allowed = true
    await eventually(async () => (await ask(brief, '/private/a.txt', reader)).status === 200)
    allowed = false
    await eventually(async () => (await ask(brief, '/private/a.txt', reader)).status === 403)
    allowed = true
    await eventually(async () => (await ask(brief, '/private/a.txt', reader)).status === 200)
  }
})

t.test('two lines of credentials are told as two, and believed for themselves', async t => {
  const policy = await policyServer(t, ({ headers }) => headers.authorization === reader.headers.authorization)
  const served = await protecting(t, { url: policy.url, cacheMs: 60_000 })
  const send = async (...lines: string[]): Promise<string> => await raw(served, `GET /private/a.txt HTTP/1.1\r\nHost: a\r\n${lines.map(line => `Authorization: ${line}\r\n`).join('')}Connection: close\r\n\r\n`)
  t.match(await send(reader.headers.authorization), /^HTTP\/1\.1 200 /)
  t.match(await send(reader.headers.authorization, stranger.headers.authorization), /^HTTP\/1\.1 403 /)
  t.match(await send(stranger.headers.authorization, reader.headers.authorization), /^HTTP\/1\.1 403 /)
  t.same(policy.inputs.at(-1)?.headers.authorization, [stranger.headers.authorization, reader.headers.authorization])
})

t.test('no failure is believed, and while it is gone what it said before runs out', async t => {
  const policy = await mayRead(t)
  const served = await protecting(t, { url: policy.url, cacheMs: 500 })
  policy.misbehave(dies)
  t.equal((await ask(served, '/private/a.txt', reader)).status, 503)
  policy.misbehave()
  t.equal((await ask(served, '/private/a.txt', reader)).status, 200, 'at once')
  await policy.close()
  await eventually(async () => (await ask(served, '/private/a.txt', reader)).status === 503)
  t.equal((await ask(served, '/open.txt')).status, 200)
})

t.test('who waits for it is bounded, and who asks the same asks once', async t => {
  const policy = await mayRead(t)
  const served = await protecting(t, { url: policy.url, cacheMs: 60_000, connections: 1, maxWaiting: 2, timeoutMs: 60_000 })
  let arrived = 0
  served.app.server.on('request', () => { arrived++ })
  const letGo = policy.hold()
  const alike = Array.from({ length: 50 }, async () => (await ask(served, '/private/a.txt', reader)).status)
  const others = Array.from({ length: 20 }, async (_, place) => (await ask(served, `/private/a.txt?${place}`, reader)).status)
  await eventually(() => arrived === 70 && policy.requests.length >= 1)
  letGo()
  const statuses = await Promise.all(others)
  t.equal(new Set(await Promise.all(alike)).size, 1, 'all that ask the same are told the same')
  t.ok(statuses.filter(status => status === 503).length >= 17, statuses.join(' '))
  t.ok(statuses.every(status => [200, 503].includes(status)))
  await eventually(async () => (await ask(served, '/private/a.txt', reader)).status === 200)
})

t.test('a path that the service could read otherwise is not asked about, nor is a signature told', async t => {
  const policy = await policyServer(t, () => true)
  const served = await protecting(t, { url: policy.url })
  for (const path of ['/private/x/../a.txt', '/private/x%2F..%2Fa.txt', '/private/%2e%2e/a.txt', '/private//a.txt', '/private/a%00.txt', '/private/a%5Cb']) t.equal((await ask(served, path, reader)).status, 400, path)
  t.equal(policy.requests.length, 0)
  await ask(served, '/private/a.txt?sig=2026-11.e1.0123456789abcdefghijklmnopqrstuvwxyz', reader)
  t.notMatch(policy.inputs[0]?.url, /abcdef/)
  t.same(policy.inputs[0]?.path, ['private', 'a.txt'])
})
