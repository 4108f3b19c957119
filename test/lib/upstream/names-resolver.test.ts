import type { LookupAddress } from 'node:dns'
import t from 'tap'
import { namesResolver, type NamesResolverOptions, type Resolver } from '../../../lib/upstream/names-resolver.ts'

type Outcome = string | LookupAddress[]

/** A system whose answers come when they are given, on a clock that is set by hand. */
function setUp (options: NamesResolverOptions = {}): { ask: (name: string, family?: number) => Promise<Outcome>, names: Resolver, asked: string[], answer: (name: string, outcome?: Outcome) => void, clock: { now: number } } {
  const pending = new Map<string, Parameters<Resolver>[2]>()
  const asked: string[] = []
  const clock = { now: 0 }
  const names = namesResolver({
    now: () => clock.now,
    resolve (name, { all }, done) {
      asked.push(all ? name : `one of ${name}`)
      pending.set(name, done)
    },
    ...options
  })
  return {
    names,
    asked,
    clock,
    ask: async (name, family = 0) => await new Promise(resolve => names(name, { family, all: true }, (error, addresses) => resolve(error === null ? addresses : `${error.code}`))),
    answer (name, outcome = [{ address: '8.8.8.8', family: 4 }]) {
      const done = pending.get(name)
      pending.delete(name)
      if (typeof outcome === 'string') done?.(Object.assign(new Error('failed'), { code: outcome }), undefined as unknown as LookupAddress[])
      else done?.(null, outcome)
    }
  }
}

const found = [{ address: '8.8.8.8', family: 4 }]

t.test('two names are looked up at a time, the others wait for their turn', async t => {
  const { ask, asked, answer } = setUp()
  const all = ['a', 'b', 'c', 'd'].map(async name => await ask(name))
  t.same(asked, ['a', 'b'])
  answer('b')
  t.same(asked, ['a', 'b', 'c'])
  answer('a', 'ENOTFOUND')
  t.same(asked, ['a', 'b', 'c', 'd'])
  answer('c')
  answer('d')
  t.same(await Promise.all(all), ['ENOTFOUND', found, found, found])
})

t.test('a name is looked up once for all who ask at the same time, and each gets a list of its own', async t => {
  const { ask, asked, answer } = setUp({ concurrency: 1 })
  const all = ['a', 'a', 'b', 'b'].map(async name => await ask(name))
  const other = ask('a', 6)
  answer('a')
  answer('b')
  t.same(await Promise.all(all), [found, found, found, found])
  answer('a')
  t.same(await other, found)
  t.same(asked, ['a', 'b', 'a'], 'another family is another question')
  const lists = await Promise.all(all)
  t.not(lists[0], lists[1])
})

t.test('what was found is remembered for a second, that there is no such name for five', async t => {
  const { ask, asked, answer, clock } = setUp()
  const cases: Array<[name: string, outcome: Outcome, ms: number]> = [['found', found, 1000], ['none', 'ENOTFOUND', 5000], ['down', 'EAI_AGAIN', 1000]]
  for (const [name, outcome, ms] of cases) {
    clock.now = 0
    asked.length = 0
    const first = ask(name)
    answer(name, outcome)
    await first
    clock.now = ms - 1
    t.same(await ask(name), outcome)
    t.equal(asked.length, 1, name)
    clock.now = ms
    const second = ask(name)
    t.equal(asked.length, 2, name)
    answer(name, outcome)
    t.same(await second, outcome)
  }
})

t.test('an answer of very many addresses is passed on, and not remembered', async t => {
  const { ask, asked, answer } = setUp()
  const many = Array.from({ length: 65 }, (_, n) => ({ address: `8.8.8.${n}`, family: 4 }))
  for (let n = 1; n <= 2; n++) {
    const first = ask('many')
    answer('many', many)
    t.same(await first, many)
    t.equal(asked.length, n)
  }
})

t.test('only so many wait, and none for longer than anybody waits for it', async t => {
  const { ask, asked, answer, clock } = setUp({ concurrency: 1, maxWaiting: 2, maxWaitMs: 100 })
  const running = ask('a')
  const early = ask('b')
  const sharing = ask('a')
  clock.now = 50
  const late = ask('c')
  t.equal(await ask('d'), 'EAI_AGAIN')
  clock.now = 101
  answer('a')
  t.same(await running, found)
  t.same(await sharing, found, 'who shares a lookup takes no place')
  t.equal(await early, 'EAI_AGAIN')
  t.same(asked, ['a', 'c'], 'b was not looked up, c is')
  answer('c')
  t.same(await late, found)
})

t.test('what is longer than a name can be is not looked up', async t => {
  const { ask, asked } = setUp()
  t.equal(await ask('a'.repeat(255)), 'ENOTFOUND')
  t.same(asked, [])
})

t.test('the system is asked where nothing else is given', async t => {
  const addresses = await new Promise<LookupAddress[]>((resolve, reject) => namesResolver()('localhost', { all: true }, (error, list) => error === null ? resolve(list) : reject(error)))
  t.match(addresses[0]?.address, /^(?:127\.|::1)/)
})
