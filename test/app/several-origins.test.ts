import { once } from 'node:events'
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'
import { origin, type Handler, type Origin } from '../helpers/origin.ts'
import { ask, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'

type Options = Record<string, unknown>

/** Says which of the origins it is. */
const saying = (name: string): Handler => (_request, response) => { response.end(name) }
/** Requests that clients sent, without those of the health checks. */
const asked = ({ requests }: Origin): number => requests.filter(({ url }) => url !== '/well').length

/** Some origins that say their number. */
async function some (t: Test, count: number): Promise<Origin[]> {
  return await Promise.all(Array.from({ length: count }, async (_, index) => await origin(t, saying(String(index)))))
}

/** An origin that is killed, and rises at the same port. */
interface Mortal {
  readonly url: string
  /** What it says. */
  name: string
  kill (): Promise<void>
  rise (): Promise<void>
}

async function mortal (t: Test, name: string): Promise<Mortal> {
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => response.end(own.name))
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  const listen = async (at: number): Promise<boolean> => await new Promise(resolve => {
    const failed = (): void => resolve(false)
    server.once('error', failed).listen(at, '127.0.0.1', () => { server.off('error', failed); resolve(true) })
  })
  await listen(0)
  const { port } = server.address() as AddressInfo
  const own: Mortal = {
    url: `http://127.0.0.1:${port}`,
    name,
    async kill () {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.resetAndDestroy()
      await closed
    },
    // For a moment the port may be that of an outgoing connection.
    async rise () { await eventually(async () => await listen(port)) }
  }
  t.teardown(() => { server.close().closeAllConnections() })
  return own
}

/** A mount over some origins, each with its own options. */
async function before (t: Test, origins: Array<{ url: string } & Options>, upstream: Options = {}): Promise<Served> {
  return await serveMedia(t, {
    upstreams: { assets: { ejectMs: 200, ...upstream, origins } },
    mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets' }]
  })
}
const plain = (origins: Array<{ url: string }>, options: Options[] = []): Array<{ url: string } & Options> => origins.map(({ url }, index) => ({ url, ...options[index] }))

/** What `/health/ready` tells of each origin. */
async function states (served: Served): Promise<string[]> {
  const answer = await ask(served, '/health/ready')
  if (answer.status !== 200) throw new Error(`Expected readiness but received ${answer.status}: ${answer.text}`)
  return (JSON.parse(answer.text) as { upstreams: { assets: Array<{ state: string }> } }).upstreams.assets.map(({ state }) => state)
}
/** The ways of an origin, as the log tells them. */
const told = ({ logs }: Served, label: string): string[] => logs.filter(line => line.origin === label && line.before !== undefined).map(line => String(line.state))

/** Clients that ask without a pause until they are told to stop; gives what they got. */
function load (t: Test, served: Served, clients: number): { answers: string[], stop: () => Promise<void> } {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const answers: string[] = []
  const ending = new AbortController()
  const get = async (): Promise<string> => await new Promise(resolve => {
    httpRequest({ agent, host: '127.0.0.1', port: served.port, path: '/cdn/a' }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => { text += part }).on('error', error => resolve(error.message)).on('end', () => resolve(`${response.statusCode} ${text}`))
    }).on('error', error => resolve(error.message)).end()
  })
  const all = Array.from({ length: clients }, async () => { while (!ending.signal.aborted) answers.push(await get()) })
  const stop = async (): Promise<void> => {
    ending.abort()
    await Promise.all(all)
    agent.destroy()
  }
  t.teardown(stop)
  return { answers, stop }
}

t.test('requests are shared by weight', async t => {
  const origins = await some(t, 3)
  const served = await before(t, plain(origins, [{ weight: 5 }, { weight: 3 }, { weight: 2 }]))
  for (let request = 0; request < 50; request++) t.equal((await ask(served, '/cdn/a')).status, 200)
  t.same(origins.map(asked), [25, 15, 10])
})

t.test('least-pending passes by an origin that answers slowly', async t => {
  const waiting: Array<() => void> = []
  const slow = await origin(t, (_request, response) => { waiting.push(() => response.end('slow')) })
  const quick = await origin(t, saying('quick'))
  const served = await before(t, plain([slow, quick]), { balance: 'least-pending' })
  const first = ask(served, '/cdn/a')
  await eventually(() => waiting.length === 1)
  for (let request = 0; request < 10; request++) t.equal((await ask(served, '/cdn/a')).text, 'quick')
  t.match(JSON.parse((await ask(served, '/health/ready')).text), { upstreams: { assets: [{ pending: 1 }, { pending: 0 }] } })
  waiting[0]!()
  t.equal((await first).text, 'slow')
})

t.test('an origin killed under load: no client sees a failure, it is out, and comes back by one request that tries it', async t => {
  const others = await some(t, 2)
  const killed = await mortal(t, 'first')
  const served = await before(t, plain([killed, ...others]), { ejectAfter: 3, retries: 2, retryBudget: 1 })
  const clients = load(t, served, 8)
  await eventually(() => clients.answers.filter(answer => answer === '200 first').length > 20)
  await killed.kill()
  await eventually(async () => (await states(served))[0] === 'ejected')
  const since = clients.answers.length
  await eventually(() => clients.answers.length > since + 200)
  const again = served.logs.filter(({ msg }) => msg === 'A request is sent again').length
  const trials = told(served, 'assets[0]').filter(state => state === 'probing').length
  t.ok(again <= 3 * 8 + trials, `${again} requests were sent again, ${trials} of them trials: no more than were under way`)

  killed.name = 'reborn'
  await killed.rise()
  await eventually(() => clients.answers.includes('200 reborn'))
  await eventually(async () => (await states(served))[0] === 'up')
  await clients.stop()
  t.same([...new Set(clients.answers)].toSorted(), ['200 0', '200 1', '200 first', '200 reborn'], 'nothing but good answers')
  const ways = told(served, 'assets[0]')
  t.same([ways[0], ...ways.slice(-2)], ['ejected', 'probing', 'up'])
})

t.test('a health check takes an origin out before any client meets it, and brings it back', async t => {
  let isWell = true
  const checked = await origin(t, ({ url }, response) => {
    if (url === '/well' && !isWell) response.statusCode = 500
    response.end('checked')
  })
  const other = await origin(t, saying('other'))
  const healthCheck = { path: '/well', intervalMs: 100, timeoutMs: 5000, healthy: 2, unhealthy: 2 }
  const served = await before(t, plain([checked, other]), { healthCheck })
  await eventually(() => checked.requests.length > 2 && other.requests.length > 2)
  t.same(await states(served), ['up', 'up'])
  isWell = false
  await eventually(async () => (await states(served))[0] === 'unhealthy')
  const count = asked(checked)
  for (let request = 0; request < 10; request++) t.equal((await ask(served, '/cdn/a')).text, 'other')
  t.equal(asked(checked), count)
  isWell = true
  await eventually(async () => (await states(served))[0] === 'up')
  t.same(new Set([(await ask(served, '/cdn/a')).text, (await ask(served, '/cdn/a')).text]), new Set(['checked', 'other']))
  t.same(told(served, 'assets[0]'), ['unhealthy', 'up'], 'the log tells changes alone')
  t.same(told(served, 'assets[1]'), [])
  await served.app.close()
  t.ok(await eventually(() => checked.connections === 0), 'the end closes the connections of the checks too')
})

t.test('an origin that does not answer its health checks is out', async t => {
  const silent = await origin(t, ({ url }, response) => { if (url !== '/well') response.end('silent') })
  const served = await before(t, plain([silent]), { healthCheck: { path: '/well', intervalMs: 100, timeoutMs: 50, unhealthy: 2 } })
  await eventually(async () => (await states(served))[0] === 'unhealthy')
  t.match(await ask(served, '/cdn/a'), { status: 503, headers: { 'retry-after': '5' } })
  await eventually(() => silent.aborted >= 2)
})

t.test('an origin that drains gets nothing; where only such are left it is 503', async t => {
  const origins = await some(t, 2)
  const served = await before(t, plain(origins, [{ drain: true }]))
  for (let request = 0; request < 6; request++) t.equal((await ask(served, '/cdn/a')).text, '1')
  t.equal(origins[0]!.opened, 0)
  t.same(await states(served), ['draining', 'up'])
  const drained = await before(t, plain(origins, [{ drain: true }, { drain: true }]))
  t.match(await ask(drained, '/cdn/a'), { status: 503, headers: { 'retry-after': '5' } })
  t.same(await states(drained), ['draining', 'draining'])
})

t.test('all dead: 503 with Retry-After and without an address, and this server stays ready and tells', async t => {
  const dead = [await mortal(t, '0'), await mortal(t, '1')]
  const served = await before(t, plain(dead), { ejectAfter: 1, ejectMs: 30_000 })
  for (const each of dead) await each.kill()
  const first = await ask(served, '/cdn/a')
  t.equal(first.status, 502, 'the one that finds out')
  const answer = await ask(served, '/cdn/a')
  t.equal(answer.status, 503)
  t.match(answer.headers, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  const seconds = Number(answer.headers['retry-after'])
  t.ok(seconds >= 1 && seconds <= 30, `${seconds} seconds`)
  t.match(JSON.parse(answer.text), { code: 'upstream-unavailable', detail: 'No origin of the upstream assets is well' })
  const ready = await ask(served, '/health/ready')
  t.equal(ready.status, 200)
  t.strictSame(JSON.parse(ready.text), {
    status: 'ready',
    upstreams: {
      assets: [
        { origin: 'assets[0]', state: 'ejected', pending: 0, failures: 1, weight: 1 },
        { origin: 'assets[1]', state: 'ejected', pending: 0, failures: 1, weight: 1 }
      ]
    }
  })
  for (const { text } of [first, answer, ready]) t.notMatch(text, /127\.0\.0\.1|localhost/)
})

t.test('a single origin that was dead is found again without a restart', async t => {
  const only = await mortal(t, 'only')
  const served = await before(t, plain([only]), { ejectAfter: 1, retries: 0 })
  await only.kill()
  t.equal((await ask(served, '/cdn/a')).status, 502)
  t.ok(await eventually(async () => (await ask(served, '/cdn/a')).status === 503), 'but for trials it is not asked')
  await only.rise()
  await eventually(async () => (await ask(served, '/cdn/a')).status === 200)
  t.same(await states(served), ['up'])
})

t.test('when all fail, the budget keeps one request from becoming many', async t => {
  const failing = await Promise.all(['0', '1'].map(async () => await origin(t, (_request, response) => { response.destroy() })))
  const served = await before(t, plain(failing), { ejectAfter: 10_000, retries: 10, retryBudget: 0.1 })
  for (let request = 0; request < 200; request++) t.equal((await ask(served, '/cdn/a')).status, 502)
  const sent = failing.reduce((sum, each) => sum + asked(each), 0)
  const retries = sent - 200
  t.ok(retries >= 10 && retries <= 20 + 20, `${retries} retries of 200 requests`)
})
