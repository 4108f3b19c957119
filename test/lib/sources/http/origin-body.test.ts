import { PassThrough, Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { OriginBody, type BodyBounds } from '../../../../lib/sources/http/origin-body.ts'
import { bytesOf } from '../../../contracts/source.ts'

const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251))
const pieces = (size = 10_000): Readable => Readable.from((function * () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size) })(), { objectMode: false })
const body = (source: Buffer | Readable, bounds: Partial<BodyBounds> = {}): OriginBody => new OriginBody(source, { name: 'assets', maxBytes: 1_000_000, length: undefined, ...bounds })

t.test('a body is whole for who reads it, however often its beginning was looked at', async t => {
  for (const source of [pieces, () => bytes]) {
    const one = body(source())
    t.ok((await one.gather(25_000, 10_000)).subarray(0, 25_000).equals(bytes.subarray(0, 25_000)))
    const [short, long] = await Promise.all([one.gather(10, 10_000), one.gather(100_000, 10_000)])
    t.ok(short.subarray(0, 10).equals(bytes.subarray(0, 10)))
    t.ok(long.subarray(0, 100_000).equals(bytes.subarray(0, 100_000)))
    await one.idle()
    t.ok((await bytesOf(one)).equals(bytes))
    t.equal(one.whole, undefined, 'it is read')
  }
})

t.test('nothing is read of it until somebody wants it, and then no more than that', async t => {
  let pulled = 0
  const source = new Readable({ highWaterMark: 1000, read () { pulled++; this.push(bytes.subarray(0, 1000)) } })
  const one = body(source)
  await wait(50)
  t.ok(pulled <= 1, 'what the stream reads by itself')
  await one.gather(5000, 10_000)
  await wait(50)
  t.ok(pulled < 10, `${pulled} times`)
  one.destroy()
  t.equal(source.destroyed, true)
})

t.test('it is known whole when its end has come', async t => {
  const one = body(pieces(), { length: bytes.length })
  await one.gather(bytes.length + 1, 10_000)
  t.ok(one.whole?.equals(bytes))
  t.equal(one.whole, one.whole)
  t.ok(body(bytes).whole?.equals(bytes))
  t.equal(body(Buffer.alloc(0)).whole?.length, 0)
  const none = body(Readable.from([], { objectMode: false }))
  await none.gather(1, 10_000)
  t.equal(none.whole?.length, 0)
})

t.test('what does not come is not waited for', async t => {
  const source = new PassThrough()
  const one = body(source)
  source.write('abc')
  t.equal((await one.gather(10, 50)).toString(), 'abc')
  t.equal(one.whole, undefined)
  source.end('def')
  t.equal((await bytesOf(one)).toString(), 'abcdef')
  const two = body(new PassThrough())
  const gathering = two.gather(10, 60_000)
  setImmediate(() => two.destroy())
  t.equal((await gathering).length, 0, 'nor when it is given up')
  t.equal(two.whole, undefined)
})

t.test('a window of it is given out, and the rest let go', async t => {
  for (const [start, end] of [[0, 0], [0, 9999], [9999, 10_000], [50_001, 120_345], [199_999, 199_999], [100, 500_000]] as const) {
    for (const source of [pieces(), bytes]) {
      t.ok((await bytesOf(body(source, { window: { start, end } }))).equals(bytes.subarray(start, end + 1)), `${start}-${end}`)
      if (source instanceof Readable) t.equal(source.destroyed, true)
    }
  }
  const late = body(pieces())
  await late.gather(30_000, 10_000)
  t.ok((await bytesOf(late.upTo(44_444))).equals(bytes.subarray(0, 44_445)))
})

t.test('it fails where it is too large, too long or too short, or its connection ends', async t => {
  const failing = async (source: Buffer | Readable, bounds: Partial<BodyBounds>): Promise<unknown> => await bytesOf(body(source, bounds)).then(() => 'whole', (error: { code: string }) => error.code)
  for (const make of [pieces, () => bytes]) {
    t.equal(await failing(make(), { maxBytes: bytes.length - 1 }), 'upstream-too-large')
    t.equal(await failing(make(), { maxBytes: bytes.length }), 'whole')
    t.equal(await failing(make(), { length: bytes.length - 1 }), 'upstream-malformed')
    t.equal(await failing(make(), { length: bytes.length + 1 }), 'upstream-reset')
    const early = body(make(), { maxBytes: 1000 })
    await t.rejects(early.gather(500_000, 10_000), { code: 'upstream-too-large' })
    await t.rejects(early.gather(1, 10_000), { code: 'upstream-too-large' }, 'whoever comes later is told too')
    t.equal(early.whole, undefined)
  }
  const closed = new PassThrough()
  closed.write('abc')
  setImmediate(() => closed.destroy())
  t.equal(await failing(closed, {}), 'upstream-reset')
  const broken = new PassThrough()
  setImmediate(() => broken.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })))
  t.equal(await failing(broken, {}), 'ECONNRESET')
})

t.test('backpressure reaches the source', async t => {
  let pulled = 0
  const source = new Readable({ highWaterMark: 1000, read () { pulled += 1000; this.push(bytes.subarray(0, 1000)) } })
  const one = body(source)
  await new Promise<void>(resolve => one.once('data', () => { one.pause(); resolve() }))
  await wait(50)
  t.ok(pulled < 200_000, `${pulled} bytes`)
  one.destroy()
})
