import { readdirSync } from 'node:fs'
import t, { type Test as Tap } from 'tap'
import { RedisLink } from '../../../lib/cache/redis-link.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { openQuotas, type OpenQuotas, type QuotasOptions } from '../../../lib/writing/quotas.ts'
import type { Limits } from '../../../lib/writing/quota-ledger.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'
import { noRedis, testRedis } from '../../helpers/redis.ts'

const skip = noRedis ?? false

interface Opened { quotas: OpenQuotas, warnings: string[] }
type Open = (t: Tap, limits: Limits, options?: Partial<QuotasOptions>) => Promise<Opened>

const nothing = async function * (): AsyncGenerator<never> { /* an empty mount */ }

async function opened (t: Tap, limits: Limits, options: Partial<QuotasOptions> & { directory: string }): Promise<Opened> {
  const warnings: string[] = []
  const log = { info: () => undefined, warn: (_facts: object, message: string) => { warnings.push(message) } }
  const quotas = await openQuotas({ mounts: [{ prefix: '/m', quotas: limits }, { prefix: '/free', quotas: {} }], walk: nothing, log, ...options })
  t.teardown(async () => await quotas.close())
  return { quotas, warnings }
}

/** Each call gives another instance of what counts together. */
const kinds: Array<[name: string, skip: string | false, prepare: (t: Tap) => Promise<Open>]> = [
  ['in a directory', false, async t => {
    const directory = `${await scratch(t)}/quotas`
    return async (t, limits, options) => await opened(t, limits, { directory, ...options })
  }],
  ['in Redis', skip, async t => {
    const { url } = await testRedis(t)
    return async (t, limits, options) => {
      const redis = await RedisLink.open({ url, commandMs: 5000 })
      t.teardown(async () => await redis.close())
      return await opened(t, limits, { directory: '/nowhere', redis, ...options })
    }
  }]
]

const file = (key: string | undefined, bytes: number, principal = 'p:ada'): Parameters<OpenQuotas['reserve']>[0] => ({ mount: '/m', key: key as Key, bytes, principal })
const full = { code: 'quota-exceeded', statusCode: 507 }

async function kept (quotas: OpenQuotas, key: string, bytes: number, principal?: string): Promise<void> {
  await (await quotas.reserve(file(key, bytes, principal))).settle(bytes)
}

for (const [name, skip, prepare] of kinds) {
  t.test(`quotas counted ${name}`, { skip }, async t => {
    t.test('bytes and files of the mount and of each principal are bounded', async t => {
      const open = await prepare(t)
      const { quotas } = await open(t, { mount: { bytes: 1000, files: 4 }, principal: { bytes: 600, files: 3 } })
      await kept(quotas, 'a', 600)
      await t.rejects(quotas.reserve(file('b', 1)), { ...full, message: /600 bytes .*each/ })
      await kept(quotas, 'b', 0)
      await kept(quotas, 'c', 0)
      await t.rejects(quotas.reserve(file('d', 0)), { ...full, message: /3 files .*each/ })
      await t.rejects(quotas.reserve(file('d', 401, 'p:bob')), { ...full, message: 'No more than 1000 bytes are kept here' })
      await kept(quotas, 'd', 400, 'p:bob')
      await t.rejects(quotas.reserve(file('e', 0, 'p:bob')), { ...full, message: 'No more than 4 files are kept here' })
      t.same(await quotas.usage('/m'), { bytes: 1000, files: 4 })
      t.same([await quotas.usage('/m', 'p:ada'), await quotas.usage('/m', 'p:bob'), await quotas.usage('/m', '')], [{ bytes: 600, files: 3 }, { bytes: 400, files: 1 }, { bytes: 0, files: 0 }])
      t.equal(await quotas.usage('/free'), undefined)
      await t.resolves((await quotas.reserve({ ...file('x', 1e12), mount: '/free' })).settle(1e12))
    })

    t.test('what is removed gives its room back, to whoever wrote it', async t => {
      const { quotas } = await (await prepare(t))(t, { principal: { bytes: 100 } })
      await kept(quotas, 'a', 100)
      await quotas.removed('/m', 'a' as Key)
      await quotas.removed('/m', 'a' as Key)
      t.same(await quotas.usage('/m'), { bytes: 0, files: 0 })
      await kept(quotas, 'b', 100)
      await kept(quotas, 'empty', 0)
      await quotas.removed('/m', 'empty' as Key)
      t.same(await quotas.usage('/m', 'p:ada'), { bytes: 100, files: 1 })
    })

    t.test('who replaces a file needs room for what is more, and its writer gets its own back', async t => {
      const { quotas } = await (await prepare(t))(t, { mount: { bytes: 100 }, principal: { bytes: 90 } })
      await kept(quotas, 'a', 80)
      await kept(quotas, 'a', 90)
      t.same(await quotas.usage('/m'), { bytes: 90, files: 1 })
      await kept(quotas, 'a', 70, 'p:bob')
      t.same([await quotas.usage('/m', 'p:ada'), await quotas.usage('/m', 'p:bob')], [{ bytes: 0, files: 0 }, { bytes: 70, files: 1 }])
      await t.rejects(quotas.reserve(file('b', 40)), full)
      const replacing = await quotas.reserve(file('a', 100 - 11, 'p:cyd'))
      await quotas.removed('/m', 'a' as Key)
      await t.rejects(quotas.reserve(file('b', 12)), full, 'what it gave back is not there twice')
      await replacing.settle(89)
      t.same(await quotas.usage('/m'), { bytes: 89, files: 1 })
    })

    t.test('who has more than a lowered quota may replace it by less', async t => {
      const open = await prepare(t)
      const first = await open(t, { principal: { bytes: 1000 } })
      await kept(first.quotas, 'a', 1000)
      await first.quotas.close()
      const { quotas } = await open(t, { principal: { bytes: 100 } })
      await kept(quotas, 'a', 500)
      t.same(await quotas.usage('/m'), { bytes: 500, files: 1 })
      await t.rejects(quotas.reserve(file('a', 501)), full)
    })

    t.test('a file that has moved stays whose it was', async t => {
      const { quotas } = await (await prepare(t))(t, { mount: { bytes: 100 } })
      await kept(quotas, 'a', 50)
      await kept(quotas, 'b', 30, 'p:bob')
      await quotas.moved('/m', 'a' as Key, 'b' as Key)
      await quotas.moved('/m', 'none' as Key, 'b' as Key)
      t.same([await quotas.usage('/m'), await quotas.usage('/m', 'p:ada'), await quotas.usage('/m', 'p:bob')], [{ bytes: 50, files: 1 }, { bytes: 50, files: 1 }, { bytes: 0, files: 0 }])
      await quotas.removed('/m', 'b' as Key)
      t.same(await quotas.usage('/m', 'p:ada'), { bytes: 0, files: 0 })
    })

    t.test('room that is set aside is taken, until it is given back', async t => {
      const { quotas } = await (await prepare(t))(t, { mount: { bytes: 100, files: 2 } })
      const first = await quotas.reserve(file('a', 60))
      await t.rejects(quotas.reserve(file('b', 41)), full)
      await first.release()
      await first.release()
      await first.settle(60)
      t.same(await quotas.usage('/m'), { bytes: 0, files: 0 }, 'what was given back is no file')
      const second = await quotas.reserve(file('b', 100))
      await second.settle(10)
      await second.release()
      await second.grow(1e9)
      t.same(await quotas.usage('/m'), { bytes: 10, files: 1 }, 'and a file is not given back')
      const [third, same] = [await quotas.reserve(file('c', 20)), await quotas.reserve(file('c', 90))]
      await t.rejects(quotas.reserve(file('d', 0)), full, 'both will be one file')
      await same.release()
      await third.grow(10)
      await third.grow(90)
      await t.rejects(third.grow(91), full)
      await third.settle(90)
      t.same(await quotas.usage('/m'), { bytes: 100, files: 2 })
    })

    t.test('a stream without end is stopped as soon as it passes', async t => {
      const { quotas } = await (await prepare(t))(t, { principal: { bytes: 100e6 } })
      const reservation = await quotas.reserve(file('sparse', 0))
      let came = 0
      await t.rejects(async () => {
        for (; came < 5e9; came += 4e6) await reservation.grow(came)
      }, full)
      t.equal(came, 104e6)
      await reservation.release()
      t.same(await quotas.usage('/m'), { bytes: 0, files: 0 })
    })

    t.test('a key that is known only at the end is counted then', async t => {
      const { quotas } = await (await prepare(t))(t, { mount: { bytes: 100 } })
      const reserve = quotas.reserve.bind(quotas) as unknown as (file: object) => Promise<{ settle (bytes: number, key?: string): Promise<void> }>
      const [one, another] = [await reserve(file(undefined, 50)), await reserve(file(undefined, 50))]
      await t.rejects(quotas.reserve(file('x', 1)), full, 'they are two')
      await one.settle(50, 'hash')
      await another.settle(50, 'hash')
      t.same(await quotas.usage('/m'), { bytes: 50, files: 1 })
    })

    t.test('files that were there before count for the mount and for nobody', async t => {
      const open = await prepare(t)
      let walks = 0
      const walk = async function * (mount: string): AsyncGenerator<{ key: Key, bytes: number }> {
        walks++
        t.equal(mount, '/m')
        for (let at = 0; at < 1201; at++) yield { key: `old ${at}` as Key, bytes: 2 }
      }
      const { quotas } = await open(t, { mount: { bytes: 2500 }, principal: { bytes: 1000 } }, { walk })
      t.same(await quotas.usage('/m'), { bytes: 2402, files: 1201 })
      t.same(await quotas.usage('/m', ''), { bytes: 0, files: 0 })
      await t.rejects(quotas.reserve(file('new', 99)), full)
      await kept(quotas, 'old 7', 90)
      t.same([await quotas.usage('/m'), await quotas.usage('/m', 'p:ada')], [{ bytes: 2490, files: 1201 }, { bytes: 90, files: 1 }])
      const again = await open(t, { mount: { bytes: 2500 } }, { walk })
      t.same(await again.quotas.usage('/m'), { bytes: 2490, files: 1201 })
      t.equal(walks, 1, 'they are counted once')
    })

    t.test('until it is known what was there nobody writes; what is removed meanwhile is not counted', async t => {
      const open = await prepare(t)
      const gate = { open: (): void => undefined }
      const opened = new Promise<void>(resolve => { gate.open = resolve })
      const walk = async function * (): AsyncGenerator<{ key: Key, bytes: number }> {
        await opened
        yield { key: 'gone' as Key, bytes: 10 }
        yield { key: 'from' as Key, bytes: 10 }
        yield { key: 'there' as Key, bytes: 10 }
      }
      const { quotas } = await open(t, { mount: { bytes: 100 } }, { walk })
      let isIn = false
      const waiting = quotas.reserve(file('new', 80)).then(reservation => { isIn = true; return reservation })
      await quotas.removed('/m', 'gone' as Key)
      await quotas.moved('/m', 'from' as Key, 'to' as Key)
      t.notOk(isIn)
      gate.open()
      await (await waiting).settle(80)
      t.same(await quotas.usage('/m'), { bytes: 90, files: 2 })
    })

    t.test('a mount that cannot be walked is not written to; the next who tries begins again', async t => {
      const open = await prepare(t)
      let walks = 0
      const walk = (): AsyncGenerator<never> => {
        if (++walks < 3) throw new Error('The store is away')
        return nothing()
      }
      const { quotas, warnings } = await open(t, { mount: { bytes: 100 } }, { walk })
      t.ok(await eventually(() => warnings.length === 1))
      await t.rejects(quotas.reserve(file('a', 1)), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '5' } })
      await t.resolves(quotas.reserve(file('a', 1)))
      t.match(warnings[0], /could not be counted/)
    })

    t.test('instances count together', async t => {
      const open = await prepare(t)
      const limits = { mount: { bytes: 100 } }
      const [one, two] = [(await open(t, limits)).quotas, (await open(t, limits)).quotas]
      await kept(one, 'a', 40)
      const reservation = await two.reserve(file('b', 60))
      await t.rejects(one.reserve(file('c', 1)), full)
      await two.removed('/m', 'a' as Key)
      await kept(one, 'c', 40)
      await reservation.settle(60)
      t.same([await one.usage('/m'), await two.usage('/m')], [{ bytes: 100, files: 2 }, { bytes: 100, files: 2 }])
    })

    t.test('however many write at once, together they never get more than there is', async t => {
      const open = await prepare(t)
      const limits = { mount: { bytes: 1000, files: 12 }, principal: { bytes: 500, files: 8 } }
      const all = await Promise.all([open(t, limits), open(t, limits), open(t, limits)])
      const writers = ['p:ada', 'p:bob', 'p:cyd', '']
      /** What the store would hold: it is changed in the moments in which a store would be. */
      const store = new Map<string, { bytes: number, principal: string }>()
      const check = (): void => {
        const files = [...store.values()]
        const sum = (list: typeof files): number => list.reduce((total, { bytes }) => total + bytes, 0)
        if (sum(files) > 1000 || files.length > 12) throw new Error(`${sum(files)} bytes of ${files.length} files`)
        for (const writer of writers) {
          const own = files.filter(({ principal }) => principal === writer)
          if (sum(own) > 500 || own.length > 8) throw new Error(`${sum(own)} bytes of ${own.length} files of ${writer}`)
        }
      }
      const busy = new Set<string>()
      let [refused, written] = [0, 0]
      const random = (below: number): number => Math.floor(Math.random() * below)
      await Promise.all(Array.from({ length: 40 }, async (_, worker) => {
        const { quotas } = all[worker % 3] as Opened
        for (let round = 0; round < 12; round++) {
          const key = `f${random(20)}`
          if (busy.has(key)) continue
          const principal = writers[random(4)] as string
          const size = random(300)
          if (random(4) === 0) {
            busy.add(key) // a store does one thing with a key at a time
            store.delete(key)
            await quotas.removed('/m', key as Key)
            busy.delete(key)
            continue
          }
          try {
            const reservation = await quotas.reserve(file(key, random(size + 1), principal))
            try {
              await reservation.grow(size)
            } catch (error) {
              await reservation.release()
              throw error
            }
            if (random(5) === 0 || busy.has(key)) {
              await reservation.release()
              continue
            }
            busy.add(key)
            store.set(key, { bytes: size, principal })
            check()
            await reservation.settle(size)
            busy.delete(key)
            written++
          } catch (error) {
            if ((error as { code?: string }).code !== 'quota-exceeded') throw error
            refused++
          }
        }
      }))
      t.ok(refused > 10 && written > 10, `${refused} refused, ${written} written`)
      const files = [...store.values()]
      t.same(await all[0].quotas.usage('/m'), { bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), files: files.length }, 'and all agree in the end')
    })
  })
}

t.test('without any quota nothing is counted, and nothing is written down', async t => {
  const directory = await scratch(t)
  const { quotas } = await opened(t, { mount: {}, principal: {} }, { directory, walk: () => { throw new Error('walked') } })
  const reservation = await quotas.reserve(file('a', 1e15))
  await reservation.grow(1e16)
  await reservation.settle(1e16)
  await quotas.removed('/m', 'a' as Key)
  await quotas.moved('/m', 'a' as Key, 'b' as Key)
  t.equal(await quotas.usage('/m'), undefined)
  t.same(readdirSync(directory), [])
})
