// Limits that instances share are as strong as the Redis that counts them. Who can make it fall over, or waits
// until it does, must get what the operator chose: everything (`open`), nothing (`closed`), or what one
// instance allows (`local`). Never a hanging request, a 500, or a log that the flood fills.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { openRateCounter, type RateLimitsConfig } from '../../lib/rate/open-counter.ts'
import client from '../../plugins/client.ts'
import errors from '../../plugins/errors.ts'
import rateLimit from '../../plugins/rate-limit.ts'
import { ask, serve, type Answer, type Served, type Test } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'

t.setTimeout(120_000)

const MAX = 1_000_000

async function limited (t: Test, redis: string, { max = MAX, ...config }: Pick<RateLimitsConfig, 'whenRedisFails'> & { max?: number }): Promise<Served> {
  return await serve(t, async app => {
    const counter = await openRateCounter({ redis, maxClients: 1000, ...config }, app.log)
    app.addHook('onClose', async function closeCounter () { await counter.close() })
    await app.register(errors)
    await app.register(client, { trustedProxies: ['127.0.0.1'] })
    await app.register(rateLimit, { stage: 'addresses', scopeName: '/', limit: { max, windowMs: 600_000 }, counter })
    app.get('/', async () => 'ok')
  })
}

/** Asks all the time, four at once, until it is told to stop. @returns what was answered */
function load (served: Served): { answers: Answer[], stop: () => Promise<void> } {
  const answers: Answer[] = []
  const over = new AbortController()
  const loops = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      answers.push(await ask(served, '/'))
      await wait(2)
    }
  })
  return {
    answers,
    async stop () {
      over.abort()
      await Promise.all(loops)
    }
  }
}

/** What the log says of the Redis that counts, in turn. */
const told = ({ logs }: Served): string[] => logs.map(({ msg }) => String(msg)).filter(line => line.startsWith(GONE) || line === BACK)
const GONE = 'Redis does not count for limits: '
const BACK = 'Redis counts for limits again'

/** On a machine that is busy with other things a command may be late, which is told too. */
const MOST_TOLD = 8

const used = ({ headers }: Answer): number => MAX - Number(/;r=(\d+)/.exec(String(headers['ratelimit']))?.[1])

const modes = {
  open: { statuses: [200], consequence: 'nothing is limited until it is back' },
  closed: { statuses: [200, 503], consequence: 'what is limited is answered 503 until it is back' },
  local: { statuses: [200], consequence: 'this instance counts for itself until it is back' }
} as const

for (const [mode, { statuses, consequence }] of Object.entries(modes) as Array<[keyof typeof modes, typeof modes[keyof typeof modes]]>) {
  t.test(`Redis is killed under load, and comes back: ${mode}`, { skip: noRedis ?? false }, async t => {
    const redis = await testRedis(t)
    const served = await limited(t, redis.url, { whenRedisFails: mode })
    const { answers, stop } = load(served)
    await eventually(() => answers.length > 50)
    t.ok(used(answers.at(-1) as Answer) > 40, 'it is counted')

    await redis.kill()
    await eventually(() => told(served).at(-1) === GONE + consequence)
    const gone = answers.length + 4 // those under way
    await eventually(() => answers.length > gone + 50)
    const without = answers.slice(gone, gone + 50)
    if (mode === 'open') for (const answer of without) t.match(answer, { status: 200, headers: { ratelimit: undefined, 'ratelimit-policy': undefined } })
    if (mode === 'closed') for (const answer of without) t.match(answer, { status: 503, headers: { 'retry-after': '1', 'content-type': 'application/problem+json' }, text: /"unavailable"/ })
    if (mode === 'local') t.equal(new Set(without.map(used)).size, 50, 'each is counted')

    await redis.restart()
    await eventually(() => told(served).at(-1) === BACK)
    const back = answers.length + 4
    await eventually(() => answers.length > back + 50)
    await stop()
    const again = answers.slice(back, back + 50)
    t.same(new Set(again.map(({ status }) => status)), new Set([200]))
    t.equal(new Set(again.map(used)).size, 50, 'each is counted, in a Redis that began anew')
    t.ok(Math.min(...again.map(used)) < answers.length - 100, 'and not where it was counted meanwhile')

    t.same([...new Set(answers.map(({ status }) => status))].toSorted((a, b) => a - b), statuses)
    const lines = told(served)
    t.ok(lines.length <= MOST_TOLD, `${lines.length} lines for ${answers.length} requests`)
    t.same(lines, lines.map((_line, n) => n % 2 === 0 ? GONE + consequence : BACK), 'it goes and comes in turn')
    t.notOk(served.logs.some(({ level }) => Number(level) >= 50))
  })
}

t.test('local: the limit holds in each instance while Redis is gone', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const served = await limited(t, redis.url, { whenRedisFails: 'local', max: 3 })
  t.match(await ask(served, '/'), { status: 200, headers: { ratelimit: /;r=2;/ } })
  await redis.kill()
  for (const address of ['203.0.113.5', '203.0.113.6']) {
    for (const status of [200, 200, 200, 429, 429]) t.equal((await ask(served, '/', { headers: { 'x-forwarded-for': address } })).status, status)
  }
})

t.test('a Redis that hangs does not hang requests', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const served = await limited(t, redis.url, { whenRedisFails: 'local' })
  await ask(served, '/')
  redis.process.kill('SIGSTOP')
  t.teardown(() => redis.process.kill('SIGCONT'))
  for (let n = 1; n <= 20; n++) t.equal(used(await ask(served, '/', { headers: { 'x-forwarded-for': '203.0.113.5' } })), n)
  redis.process.kill('SIGCONT')
  t.ok(await eventually(async () => {
    await ask(served, '/')
    return told(served).at(-1) === BACK
  }))
})
