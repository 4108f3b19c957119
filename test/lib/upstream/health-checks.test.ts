import { spawnSync } from 'node:child_process'
import { createServer, get, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { startHealthChecks, type HealthCheckOptions, type HealthChecks, type Probe } from '../../../lib/upstream/health-checks.ts'
import { Origins, type OriginEvent } from '../../../lib/upstream/origins.ts'
import { eventually } from '../../helpers/process.ts'
import type { Test } from '../../helpers/app.ts'

const quick: HealthCheckOptions = { path: '/well', intervalMs: 5, timeoutMs: 5000, healthy: 2, unhealthy: 3, random: () => 0 }

/** Checks of origins that answer what the test says. */
function checked (t: Test, count: number, probe: Probe, options: Partial<HealthCheckOptions> = {}): { origins: Origins, events: OriginEvent[], checks: HealthChecks, route: () => string[] } {
  const events: OriginEvent[] = []
  const origins = new Origins({
    name: 'assets',
    origins: Array.from({ length: count }, (_, index) => ({ url: `http://10.0.0.${index}/base`, weight: 1, drain: false })),
    balance: 'round-robin',
    ejectAfter: 3,
    ejectMs: 10_000,
    onChange: event => { events.push(event) }
  })
  const checks = startHealthChecks(origins, { ...quick, ...options }, probe)
  t.teardown(async () => await checks.stop())
  return { origins, events, checks, route: () => events.map(({ origin, before, state }) => `${origin} ${before} > ${state}`) }
}

t.test('an origin goes after its bad answers in a row, comes after its good ones, and is told only then', async t => {
  // b: bad, g: good. Two bad ones, a good one between, are not three.
  const script = 'bbgbbgggbbbbbbgbgbbgggggg'
  let asked = 0
  const told: unknown[] = []
  const { origins } = checked(t, 1, async () => 200)
  const checks = startHealthChecks({ all: origins.all, setHealth: (origin, healthy) => { told.push([origin.label, healthy, asked]) } }, quick, async () => script[asked++] === 'b' ? 503 : 204)
  t.teardown(async () => await checks.stop())
  await eventually(() => asked >= script.length)
  await checks.stop()
  t.same(told, [['assets[0]', false, script.indexOf('bbb') + 3], ['assets[0]', true, script.indexOf('ggggg') + 2]])
})

t.test('2xx and 3xx are good; all else, and whatever the probe throws, is bad', async t => {
  for (const [answer, good] of [[200, true], [299, true], [304, true], [399, true], [101, false], [199, false], [400, false], [404, false], [500, false], [NaN, false], ['throws', false], ['rejects', false]] as const) {
    let asked = 0
    const { events, checks } = checked(t, 1, (): Promise<number> => {
      asked++
      if (answer === 'throws') throw new Error('at once')
      return answer === 'rejects' ? Promise.reject(new Error('later')) : Promise.resolve(answer)
    }, { unhealthy: 1 })
    await eventually(() => asked > 2)
    await checks.stop()
    t.equal(events.length, good ? 0 : 1, String(answer))
  }
})

t.test('each origin is asked for the path at its own pace, one question at a time', async t => {
  const under = new Map<string, number>()
  const counts = new Map<string, number>()
  let most = 0
  checked(t, 3, async (origin, path) => {
    t.equal(path, '/well')
    const running = (under.get(origin.label) ?? 0) + 1
    under.set(origin.label, running)
    most = Math.max(most, running)
    await wait(origin.label === 'assets[0]' ? 200 : 1)
    under.set(origin.label, running - 1)
    counts.set(origin.label, (counts.get(origin.label) ?? 0) + 1)
    return 200
  })
  await eventually(() => (counts.get('assets[0]') ?? 0) >= 2)
  t.equal(most, 1)
  for (const quickOne of ['assets[1]', 'assets[2]']) t.ok(counts.get(quickOne)! > 2 * counts.get('assets[0]')!, 'a slow one delays no other')
})

t.test('an answer that takes too long is bad, and its probe is told to stop', async t => {
  let stopped = 0
  const { origins, events } = checked(t, 1, async (_origin, _path, signal) => await new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => {
      stopped++
      if (stopped === 1) resolve(200) // too late is too late
      else reject(signal.reason)
    })
  }), { timeoutMs: 20, unhealthy: 2 })
  await eventually(() => events.length === 1)
  t.equal(stopped, 2)
  t.match(origins.state(), [{ state: 'unhealthy' }])
})

t.test('the interval is kept, give or take a tenth', async t => {
  for (const [random, least] of [[0, 175], [1, 215]] as const) {
    const at: number[] = []
    const began = performance.now()
    const { checks } = checked(t, 1, async () => {
      at.push(performance.now())
      return 200
    }, { intervalMs: 200, random: () => random })
    await eventually(() => at.length > 3)
    await checks.stop()
    t.ok(at[0]! - began >= random * 195, 'the first question waits a share of the interval')
    const pauses = at.slice(1).map((moment, index) => moment - at[index]!)
    t.ok(Math.min(...pauses) >= least, `${Math.min(...pauses)} ms is not before ${least}`)
  }
})

t.test('the time of the answer is part of the interval', async t => {
  const now = performance.now.bind(performance)
  t.teardown(() => { performance.now = now })
  let slept = 0
  performance.now = () => now() + slept
  let asked = 0
  checked(t, 1, async () => {
    asked++
    slept += 3_600_000
    return 200
  }, { intervalMs: 3_600_000 })
  t.ok(await eventually(() => asked > 2))
})

t.test('stop ends the probe under way, waits for it, and changes nothing any more', async t => {
  let asked = 0
  let ended = false
  const { checks, events } = checked(t, 2, async (_origin, _path, signal) => {
    asked++
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    await wait(50)
    ended = true
    return 500
  }, { unhealthy: 1 })
  await eventually(() => asked === 2)
  await Promise.all([checks.stop(), checks.stop()])
  t.ok(ended, 'it had ended')
  t.same(events, [])
  await wait(50)
  t.equal(asked, 2, 'no question after the end')
})

t.test('the checks keep no process alive', async t => {
  const program = `
    import { startHealthChecks } from ${JSON.stringify(new URL('../../../lib/upstream/health-checks.ts', import.meta.url).href)}
    startHealthChecks({ all: [{}], setHealth () {} }, { path: '/', intervalMs: 3600000, timeoutMs: 1000, healthy: 1, unhealthy: 1 }, async () => 200)
    console.log('started')`
  const loader = new URL('../../loader/ts.mjs', import.meta.url).href
  const { stdout, status } = spawnSync(process.execPath, ['--import', loader, '--input-type=module', '-e', program], { timeout: 40_000, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  t.same([stdout, status], ['started\n', 0])
})

t.test('over a socket: a server that fails goes and comes back', async t => {
  let answer: RequestListener = (_request, response) => response.end()
  const server = createServer((request, response) => answer(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  t.teardown(() => server.close().closeAllConnections())
  const probe: Probe = async (origin, path, signal) => await new Promise((resolve, reject) => {
    t.equal(origin.basePath + path, '/base/well')
    get({ port, host: '127.0.0.1', path, signal, agent: false }, response => { response.resume().on('end', () => resolve(response.statusCode!)) }).on('error', reject)
  })
  const { origins, route } = checked(t, 1, probe, { intervalMs: 20, timeoutMs: 1000 })
  for (const ill of [
    (_request, response) => { response.statusCode = 500; response.end() },
    (_request, response) => { response.destroy() },
    () => undefined // no answer at all
  ] satisfies RequestListener[]) {
    const well = answer
    answer = ill
    await eventually(() => origins.state()[0]!.state === 'unhealthy')
    t.throws(() => origins.lease(), { code: 'upstream-unavailable' })
    answer = well
    await eventually(() => origins.state()[0]!.state === 'up')
    origins.lease().end('good')
  }
  t.same(route(), Array.from({ length: 3 }, () => ['assets[0] up > unhealthy', 'assets[0] unhealthy > up']).flat())
})
