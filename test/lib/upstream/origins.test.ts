import t from 'tap'
import { Origins, type Origin, type OriginEvent, type OriginLease, type OriginOptions, type OriginsOptions } from '../../../lib/upstream/origins.ts'

/** A balance over as many origins as there are weights, on a clock that the test moves. */
function balance (weights: number[], options: Partial<OriginsOptions> = {}): { origins: Origins, events: OriginEvent[], clock: { now: number }, route: (events?: OriginEvent[]) => string[] } {
  const clock = { now: 5000 }
  const events: OriginEvent[] = []
  const origins = new Origins({
    name: 'assets',
    origins: weights.map((weight, index): OriginOptions => ({ url: `http://10.0.0.${index + 1}:8080/base`, weight, drain: false })),
    balance: 'round-robin',
    ejectAfter: 3,
    ejectMs: 10_000,
    now: () => clock.now,
    onChange: event => { events.push(event) },
    ...options
  })
  return { origins, events, clock, route: () => events.map(({ origin, before, state }) => `${origin} ${before} > ${state}`) }
}
/** Which origins the next requests get, by number, each ended before the next. */
function turns (origins: Origins, count: number, outcome: 'good' | 'bad' | 'neutral' = 'good'): string {
  return Array.from({ length: count }, () => {
    const lease = origins.lease()
    lease.end(outcome)
    return number(lease)
  }).join('')
}
const number = (lease: OriginLease): string => lease.origin.label.replace(/^assets\[(\d+)\]$/, '$1')
/** Leases until one of this origin comes. */
function leaseOf (origins: Origins, index: number): OriginLease {
  return origins.lease(new Set(origins.all.filter((_, at) => at !== index)))
}
/** Fails in a row at one origin until it is out. */
function eject (origins: Origins, index: number, times = 3): void {
  for (let time = 0; time < times; time++) leaseOf(origins, index).end('bad')
}
const unavailable = (seconds: number): { code: string, statusCode: number, headers: object } => ({ code: 'upstream-unavailable', statusCode: 503, headers: { 'retry-after': String(seconds) } })
const positions = (origins: Origins): string[] => origins.state().map(({ state }) => state)

t.test('an origin is known by its name and number, its base path has no slash at the end', async t => {
  const urls = ['http://a.example', 'http://a.example/', 'https://a.example:8443/assets/', 'http://a.example/a/b//', 'http://a.example/%2F/x']
  const origins = new Origins({ name: 'cdn', origins: urls.map(url => ({ url, weight: 1, drain: false })), balance: 'round-robin', ejectAfter: 1, ejectMs: 1 })
  t.same(origins.all.map(({ label, basePath, url, pending }) => [label, basePath, url.origin, pending]), [
    ['cdn[0]', '', 'http://a.example', 0],
    ['cdn[1]', '', 'http://a.example', 0],
    ['cdn[2]', '/assets', 'https://a.example:8443', 0],
    ['cdn[3]', '/a/b', 'http://a.example', 0],
    ['cdn[4]', '/%2F/x', 'http://a.example', 0]
  ])
})

t.test('equal origins take turns; weights are honoured without runs of one', async t => {
  t.equal(turns(balance([1, 1, 1]).origins, 6), '012012')
  t.equal(turns(balance([5, 1, 1]).origins, 14), '00102000010200')
  const many = turns(balance([7, 2, 1]).origins, 1000)
  t.same(['0', '1', '2'].map(origin => many.split(origin).length - 1), [700, 200, 100])
  t.notMatch(many, /0{5}|11|22/)
})

t.test('who has the fewest requests under way for its weight is next; equals take turns by weight', async t => {
  const { origins } = balance([1, 1, 2], { balance: 'least-pending' })
  t.equal(turns(origins, 8), '20122012', 'all idle: weighted turns')
  const leases = Array.from({ length: 8 }, () => origins.lease())
  t.same(origins.all.map(({ pending }) => pending), [2, 2, 4])
  for (const lease of leases) if (number(lease) === '1') lease.end('good')
  t.same([origins.lease(), origins.lease()].map(number), ['1', '1'], 'the idle one fills up first')
  t.same(origins.all.map(({ pending }) => pending), [2, 2, 4])
})

t.test('least-pending among those that were not tried', async t => {
  const { origins } = balance([1, 1, 1], { balance: 'least-pending' })
  const leases = Array.from({ length: 6 }, () => origins.lease())
  for (const done of ['0', '0', '2']) leases.splice(leases.findIndex(lease => number(lease) === done), 1)[0]!.end('good')
  t.same(origins.all.map(({ pending }) => pending), [0, 2, 1])
  t.equal(number(origins.lease(new Set([origins.all[0]!]))), '2', 'the idle one was tried')
})

t.test('least-pending passes a slow origin by, round-robin does not', async t => {
  for (const [kind, expected] of [['least-pending', 1], ['round-robin', 10]] as const) {
    const { origins } = balance([1, 1], { balance: kind })
    const slow: OriginLease[] = []
    for (let request = 0; request < 20; request++) {
      const lease = origins.lease()
      if (lease.origin === origins.all[0]) slow.push(lease)
      else lease.end('good')
    }
    t.equal(slow.length, expected, kind)
  }
})

t.test('a lease that ends twice counts once', async t => {
  const { origins } = balance([1])
  const lease = origins.lease()
  t.equal(lease.origin.pending, 1)
  for (let time = 0; time < 5; time++) lease.end('bad')
  lease.end('good')
  lease.answered()
  t.match(origins.state(), [{ state: 'up', pending: 0, failures: 1 }])
})

t.test('failures in a row take an origin out; a good outcome between them begins anew, a neutral one says nothing', async t => {
  const { origins, events } = balance([1, 1])
  for (const outcome of ['bad', 'bad', 'good', 'bad', 'neutral', 'bad'] as const) leaseOf(origins, 0).end(outcome)
  t.match(origins.state(), [{ state: 'up', failures: 2 }, { state: 'up', failures: 0 }])
  t.same(events, [])
  leaseOf(origins, 0).end('bad')
  t.strictSame(events, [{ origin: 'assets[0]', state: 'ejected', before: 'up', pending: 0, failures: 3, weight: 1 }])
  t.equal(turns(origins, 4), '1111')
})

t.test('what was tried is left out where there is another, and only there', async t => {
  const { origins } = balance([1, 1, 1])
  const tried = new Set<Origin>()
  for (let attempt = 0; attempt < 3; attempt++) {
    const { origin } = origins.lease(tried)
    t.notOk(tried.has(origin))
    tried.add(origin)
  }
  t.ok(origins.lease(tried).origin)
  eject(origins, 1)
  eject(origins, 2)
  t.equal(number(origins.lease(new Set([origins.all[0]!]))), '0', 'none of the others is well')
  const [alone] = [balance([1]).origins]
  t.equal(alone.lease(new Set(alone.all)).origin, alone.all[0])
})

t.test('when its time is over exactly one request tries it: a good outcome brings it back', async t => {
  const { origins, clock, route } = balance([1, 1])
  eject(origins, 0)
  clock.now += 9999
  t.equal(turns(origins, 3), '111')
  clock.now += 1
  t.same(positions(origins), ['ejected', 'up'], 'nobody has tried')
  const trial = leaseOf(origins, 0)
  t.equal(number(trial), '0')
  t.same(positions(origins), ['probing', 'up'])
  t.equal(turns(origins, 10), '1'.repeat(10), 'one request alone')
  trial.end('good')
  t.same(route(), ['assets[0] up > ejected', 'assets[0] ejected > probing', 'assets[0] probing > up'])
  t.match(turns(origins, 4), /0.*0/)
  t.match(origins.state(), [{ failures: 0 }])
})

t.test('a trial that fails takes it out again, for twice as long each time up to a minute', async t => {
  const { origins, clock } = balance([1])
  eject(origins, 0)
  for (const seconds of [10, 20, 40, 60, 60, 60]) {
    t.throws(() => origins.lease(), unavailable(seconds))
    clock.now += seconds * 1000 - 1
    t.throws(() => origins.lease(), unavailable(1))
    clock.now += 1
    origins.lease().end('bad')
  }
  clock.now += 60_000
  origins.lease().end('good')
  eject(origins, 0)
  t.throws(() => origins.lease(), unavailable(10), 'it was well between')
})

t.test('an ejection that is configured longer than a minute does not grow', async t => {
  const { origins, clock } = balance([1], { ejectMs: 90_000, ejectAfter: 1 })
  for (let time = 0; time < 3; time++) {
    origins.lease().end('bad')
    t.throws(() => origins.lease(), unavailable(90))
    clock.now += 90_000
  }
})

t.test('a trial that says nothing leaves the next request to try', async t => {
  const { origins, clock, route } = balance([1], { ejectAfter: 1 })
  origins.lease().end('bad')
  clock.now += 10_000
  const trial = origins.lease()
  t.throws(() => origins.lease(), unavailable(1), 'the trial under way will tell soon')
  trial.end('neutral')
  const next = origins.lease()
  trial.answered()
  t.same(positions(origins), ['probing'], 'what has ended says nothing more')
  next.end('good')
  t.same(route(), ['up > ejected', 'ejected > probing', 'probing > ejected', 'ejected > probing', 'probing > up'].map(step => `assets[0] ${step}`))
})

t.test('what was under way before an ejection neither prolongs it nor ends it', async t => {
  const { origins, clock, events } = balance([1])
  const old = Array.from({ length: 10 }, () => origins.lease())
  for (const lease of old.slice(0, 8)) lease.end('bad')
  t.throws(() => origins.lease(), unavailable(10), 'one ejection, not two')
  clock.now += 10_000
  old[8]!.answered()
  t.same(positions(origins), ['ejected'])
  const trial = origins.lease()
  old[8]!.answered()
  old[8]!.end('good')
  t.same(positions(origins), ['probing'])
  trial.end('good')
  old[9]!.end('bad')
  t.match(origins.state(), [{ state: 'up', failures: 0, pending: 0 }])
  t.equal(events.length, 3)
})

t.test('the head of an answer ends a trial, for bodies are long; the body\'s failure ejects again', async t => {
  const { origins, clock, route } = balance([1, 1])
  eject(origins, 0)
  clock.now += 10_000
  const long = leaseOf(origins, 0)
  long.answered()
  t.same(positions(origins), ['up', 'up'])
  t.match(turns(origins, 4, 'neutral'), /0.*0/, 'others are let in while it goes on')
  long.end('bad')
  t.same(positions(origins), ['ejected', 'up'])
  clock.now += 19_999
  t.equal(turns(origins, 2), '11', 'it had not been well: twice as long')
  clock.now += 1
  const second = leaseOf(origins, 0)
  second.answered()
  second.end('good')
  eject(origins, 0, 2)
  t.same(positions(origins), ['up', 'up'])
  t.same(route().slice(3), ['assets[0] up > ejected', 'assets[0] ejected > probing', 'assets[0] probing > up'])
})

t.test('the head of an answer says nothing where there is no trial', async t => {
  const { origins } = balance([1])
  eject(origins, 0, 2)
  origins.lease().answered()
  t.match(origins.state(), [{ failures: 2, state: 'up' }], 'else an origin that dies in every body would never be out')
})

t.test('when all are out the request is refused until the first may be tried, and the log has the states', async t => {
  const { origins, clock } = balance([1, 1])
  eject(origins, 0)
  clock.now += 4000
  eject(origins, 1)
  const error = t.throws(() => origins.lease(), unavailable(6)) as unknown as { detail: string, context: { upstream: string, origins: object[] } }
  t.match(error.context, { upstream: 'assets', origins: [{ origin: 'assets[0]', state: 'ejected' }, { origin: 'assets[1]', state: 'ejected' }] })
  t.match(error.detail, 'assets')
  t.notMatch(JSON.stringify([error.detail, error.context]), '10.0.0', 'no address')
  clock.now += 6000
  t.equal(number(origins.lease()), '0')
  t.throws(() => origins.lease(), unavailable(1))
})

t.test('a single origin opens the circuit too', async t => {
  const { origins } = balance([1])
  eject(origins, 0)
  t.throws(() => origins.lease(), unavailable(10))
  t.throws(() => origins.lease(new Set(origins.all)), unavailable(10))
})

t.test('an origin that drains gets no new requests; those under way go on and count', async t => {
  const { origins, route } = balance([1, 1])
  const under = leaseOf(origins, 1)
  origins.drain('assets[1]', true)
  t.equal(turns(origins, 3), '000')
  t.match(origins.state(), [{ state: 'up' }, { state: 'draining', pending: 1 }])
  under.end('good')
  t.match(origins.state(), [{}, { state: 'draining', pending: 0 }])
  origins.drain('assets[0]', true)
  t.throws(() => origins.lease(), unavailable(5), 'only draining ones are left')
  origins.drain('assets[1]', false)
  origins.drain('assets[1]', false)
  t.equal(turns(origins, 3), '111')
  t.same(route(), ['assets[1] up > draining', 'assets[0] up > draining', 'assets[1] draining > up'])
  t.throws(() => origins.drain('10.0.0.1', true), { name: 'RangeError', message: 'Expected the label of an origin of assets but received "10.0.0.1"' })
})

t.test('an origin may drain from the start, which is no event', async t => {
  const { origins, events } = balance([], { origins: [{ url: 'http://10.0.0.1', weight: 1, drain: true }, { url: 'http://10.0.0.2', weight: 1, drain: false }] })
  t.equal(turns(origins, 3), '111')
  t.same(positions(origins), ['draining', 'up'])
  t.same(events, [])
  origins.drain('assets[0]', false)
  t.match(events, [{ origin: 'assets[0]', before: 'draining', state: 'up' }])
})

t.test('a health check takes an origin out and brings it back, and is told once', async t => {
  const { origins, route } = balance([1, 1])
  const [first] = origins.all
  origins.setHealth(first!, true)
  origins.setHealth(first!, false)
  origins.setHealth(first!, false)
  t.equal(turns(origins, 3), '111')
  origins.setHealth(origins.all[1]!, false)
  t.throws(() => origins.lease(), unavailable(5))
  origins.setHealth(first!, true)
  t.equal(turns(origins, 2), '00')
  origins.setHealth(balance([1]).origins.all[0]!, false)
  t.same(route(), ['assets[0] up > unhealthy', 'assets[1] up > unhealthy', 'assets[0] unhealthy > up'], 'an origin of another upstream is none of ours')
})

t.test('an ejected origin that the health check finds well again is tried at once, and not trusted before', async t => {
  const { origins, route } = balance([1])
  eject(origins, 0)
  origins.setHealth(origins.all[0]!, true)
  t.throws(() => origins.lease(), unavailable(10), 'its checks were good all the time')
  origins.setHealth(origins.all[0]!, false)
  t.throws(() => origins.lease(), unavailable(5))
  origins.setHealth(origins.all[0]!, true)
  const trial = origins.lease()
  t.throws(() => origins.lease(), unavailable(1))
  trial.end('good')
  t.same(route(), ['up > ejected', 'ejected > unhealthy', 'unhealthy > ejected', 'ejected > probing', 'probing > up'].map(step => `assets[0] ${step}`))
})

t.test('an origin that comes back does not get the turns that it missed', async t => {
  const { origins, clock } = balance([1, 1])
  eject(origins, 0)
  turns(origins, 1000)
  clock.now += 10_000
  const after = turns(origins, 100)
  t.ok(Math.abs(after.split('0').length - 51) <= 1, after)
})

t.test('outcomes in any order keep the counts right', async t => {
  const { origins, clock } = balance([3, 2, 1], { balance: 'least-pending' })
  let seed = 7
  const random = (below: number): number => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 65536) % below }
  const open: OriginLease[] = []
  let refused = 0
  for (let step = 0; step < 20_000; step++) {
    clock.now += random(200)
    if (random(2) === 0 && open.length < 50) {
      try { open.push(origins.lease()) } catch { refused++ }
    } else {
      const [lease] = open.splice(random(open.length), 1)
      if (random(2) === 0) lease?.answered()
      lease?.end((['good', 'bad', 'neutral', 'bad'] as const)[random(4)]!)
    }
    for (const { state, pending } of origins.state()) if (state === 'probing' && pending === 0) t.fail('a trial without a request')
  }
  t.ok(refused > 0)
  t.equal(origins.all.reduce((sum, { pending }) => sum + pending, 0), open.length)
  for (const lease of open) lease.end('neutral')
  clock.now += 60_000
  t.same(new Set(turns(origins, 30)), new Set('012'), 'none is lost for ever')
  t.same(origins.all.map(({ pending }) => pending), [0, 0, 0])
})

t.test('the clock is real where none is given', async t => {
  const origins = new Origins({ name: 'assets', origins: [{ url: 'http://10.0.0.1', weight: 1, drain: false }], balance: 'round-robin', ejectAfter: 1, ejectMs: 3_600_000 })
  origins.lease().end('bad')
  t.throws(() => origins.lease(), { code: 'upstream-unavailable', headers: { 'retry-after': /^3(600|59\d)$/ } })
})
