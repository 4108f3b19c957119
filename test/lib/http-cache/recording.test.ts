import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test as Tap } from 'tap'
import { DiskStore } from '../../../lib/cache/disk-store.ts'
import type { StoreFault } from '../../../lib/cache/store.ts'
import type { ByteRange } from '../../../lib/http/range.ts'
import { DiskTier } from '../../../lib/http-cache/disk-tier.ts'
import { Recording, type RecordingOptions } from '../../../lib/http-cache/recording.ts'
import { Normaliser } from '../../../lib/http-cache/selection.ts'
import { Shelf } from '../../../lib/http-cache/shelf.ts'
import { Spool } from '../../../lib/http-cache/spool.ts'
import { scratch } from '../../helpers/app.ts'
import { bytesOf } from '../../helpers/http-cache.ts'
import { eventually } from '../../helpers/process.ts'

const MEBIBYTE = 1024 * 1024
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A body that is given out as it is asked for, and counts what it gave. */
class Origin extends Readable {
  readonly bytes: Buffer
  readonly #chunk: number
  given = 0

  constructor (size: number, chunk = 64 * 1024) {
    super({ highWaterMark: 1 })
    this.bytes = Buffer.alloc(size, randomBytes(64 * 1024 + 1))
    this.#chunk = chunk
  }

  override _read (): void {
    const chunk = this.bytes.subarray(this.given, this.given + this.#chunk)
    this.given += chunk.length
    // In a turn of its own, as bytes of a socket come.
    setImmediate(() => { if (!this.destroyed) this.push(chunk.length === 0 ? null : chunk) })
  }
}

interface Stage {
  readonly record: (body: Readable, options?: Partial<RecordingOptions>) => Omit<Recording, 'open'> & { open (range?: ByteRange): Readable, late (range?: ByteRange): Promise<Buffer>, givenUp: number }
  store: DiskStore
  disk: DiskTier
  faults: StoreFault[]
}

async function stage (t: Tap, totalBytes = 256 * MEBIBYTE): Promise<Stage> {
  const faults: StoreFault[] = []
  const store = await DiskStore.open({ directory: join(await scratch(t), 'cache'), totalBytes, onFault: fault => faults.push(fault) })
  const disk = new DiskTier(store)
  t.teardown(async () => await disk.close())
  const alive = setInterval(() => undefined, 1000) // the timers of a recording alone keep no process alive
  t.teardown(() => clearInterval(alive))
  const shelf = new Shelf('a', new Normaliser(), { tagOf: path => `original:${path}`, generationOf: () => '' })
  const spot = { shelf, resource: shelf.hold('/a') }
  return {
    store, disk, faults,
    record (body, options = {}) {
      const recording = Object.assign(new Recording({
        body, length: undefined, maxBytes: 128 * MEBIBYTE, memoryBytes: 512 * 1024, isWanted: false, trailers: () => undefined,
        openSpool: async () => await Spool.open(disk, spot),
        onGivenUp: () => { recording.givenUp++ },
        ...options
      }), { givenUp: 0 })
      t.teardown(() => recording.abort(new Error('The test is over')))
      return Object.assign(recording as Omit<Recording, 'open'> & { open (range?: ByteRange): Readable, givenUp: number }, {
        late: async (range?: ByteRange) => await bytesOf(await (recording as Recording).open(range))
      })
    }
  }
}

/** Reads slowly: a piece, a pause. */
async function slowly (body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  return Buffer.concat(chunks)
}

t.test('bodies of all sizes reach their readers byte by byte, and are kept', async t => {
  const { record } = await stage(t)
  for (const size of [0, 1, 65_535, 65_536, 65_537, 524_288, 524_289, 3_000_000, 20_000_000]) {
    for (const length of [size, undefined]) {
      const origin = new Origin(size)
      const recording = record(origin, { length })
      const readers = [recording.open(), recording.open()]
      const read = await Promise.all(readers.map(bytesOf))
      for (const bytes of read) t.equal(hash(bytes), hash(origin.bytes), `${size} bytes, length ${length}`)
      const kept = await recording.done
      t.equal(kept?.size, size)
      t.equal(hash(await bytesOf(await kept?.open() ?? Buffer.alloc(0))), hash(origin.bytes))
      t.equal(kept?.bytes !== undefined, size <= 524_288, 'small ones in memory')
    }
  }
})

t.test('who comes later reads what is there already, and then goes along', async t => {
  const { record } = await stage(t)
  const origin = new Origin(30 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const first = bytesOf(recording.open())
  await eventually(() => origin.given > 10 * MEBIBYTE)
  const second = bytesOf(recording.open())
  const slow = slowly(recording.open())
  const part = bytesOf(recording.open({ start: 5 * MEBIBYTE + 3, end: 6 * MEBIBYTE + 7 }))
  const ahead = bytesOf(recording.open({ start: 29 * MEBIBYTE, end: 30 * MEBIBYTE - 1 }))
  for (const read of [first, second, slow]) t.equal(hash(await read), hash(origin.bytes))
  t.equal(hash(await part), hash(origin.bytes.subarray(5 * MEBIBYTE + 3, 6 * MEBIBYTE + 8)))
  t.equal(hash(await ahead), hash(origin.bytes.subarray(29 * MEBIBYTE)))
  t.ok(await recording.done)
})

t.test('readers that are piped get each byte once, wherever it lies', async t => {
  const { record } = await stage(t)
  const origin = new Origin(12 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const piped = async (pauseMs: number): Promise<string> => {
    const chunks: Buffer[] = []
    const sink = new Writable({ write (chunk: Buffer, _encoding, done) { chunks.push(chunk); setTimeout(done, pauseMs) } })
    await pipeline(recording.open(), sink)
    return hash(Buffer.concat(chunks))
  }
  const first = piped(0)
  await eventually(() => origin.given > 4 * MEBIBYTE)
  const own = hash(origin.bytes)
  t.same(await Promise.all([first, piped(0), piped(2)]), [own, own, own])
  await recording.done
  t.equal(hash(await recording.late()), own, 'also when it is over')
  t.same(await recording.late({ start: 5, end: 9 }), origin.bytes.subarray(5, 10))
})

t.test('ranges of a body that is arriving end where they should', async t => {
  const { record } = await stage(t)
  const origin = new Origin(2 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const ranges = [[0, 0], [0, 65_535], [65_535, 65_536], [1_000_000, 1_000_000], [2 * MEBIBYTE - 1, 2 * MEBIBYTE - 1]] as const
  const parts = ranges.map(async ([start, end]) => await bytesOf(recording.open({ start, end })))
  for (const [place, part] of parts.entries()) {
    const [start, end] = ranges[place] ?? [0, 0]
    t.same(await part, origin.bytes.subarray(start, end + 1), `${start} to ${end}`)
  }
})

t.test('an origin that sends byte by byte keeps no buffer for each byte', async t => {
  const { record } = await stage(t)
  const origin = new Origin(20_000, 1)
  const recording = record(origin)
  const [read, late] = await Promise.all([bytesOf(recording.open()), slowly(recording.open())])
  t.equal(hash(read), hash(origin.bytes))
  t.equal(hash(late), hash(origin.bytes))
  t.same((await recording.done)?.bytes, origin.bytes)
})

t.test('the fastest reader sets the pace: one who stops stops the origin, while another goes on', async t => {
  const { record } = await stage(t)
  const origin = new Origin(40 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const stopped = recording.open()
  stopped.read(0)
  await eventually(() => origin.given > MEBIBYTE)
  await new Promise(resolve => setTimeout(resolve, 200))
  t.ok(origin.given < 4 * MEBIBYTE, `${origin.given} bytes ahead of who stopped`)
  t.equal(hash(await bytesOf(recording.open())), hash(origin.bytes))
  t.equal(hash(await bytesOf(stopped)), hash(origin.bytes), 'and the one who stopped gets the rest from what was kept')
})

t.test('a body that nobody begins to read is fetched if it is small, else given up after a while', async t => {
  const { record } = await stage(t)
  const small = record(new Origin(100_000), { length: 100_000 })
  t.equal((await small.done)?.size, 100_000)
  const origin = new Origin(20 * MEBIBYTE)
  const large = record(origin, { length: origin.bytes.length })
  t.equal(await large.done, undefined)
  t.ok(origin.destroyed)
  t.throws(() => large.open(), { name: 'RepresentationChanged' })
})

t.test('what is wanted for itself is fetched without readers', async t => {
  const { record } = await stage(t)
  const origin = new Origin(5 * MEBIBYTE)
  t.equal((await record(origin, { length: origin.bytes.length, isWanted: true }).done)?.size, origin.bytes.length)
})

t.test('what is wanted for keeping alone, and cannot be kept, is given up', async t => {
  const { record } = await stage(t)
  const origin = new Origin(12 * MEBIBYTE)
  t.equal(await record(origin, { maxBytes: 3 * MEBIBYTE, isWanted: true }).done, undefined)
  t.ok(origin.destroyed)
  t.ok(origin.given < 8 * MEBIBYTE)
})

t.test('when the last reader leaves, a small remainder is still fetched, a large one is not', async t => {
  const { record } = await stage(t)
  for (const [left, isKept] of [[MEBIBYTE / 2, true], [20 * MEBIBYTE, false]] as const) {
    const origin = new Origin(4 * MEBIBYTE + left)
    const recording = record(origin, { length: origin.bytes.length })
    const reader = recording.open()
    let read = 0
    for await (const chunk of reader as AsyncIterable<Buffer>) if ((read += chunk.length) >= 4 * MEBIBYTE) break
    t.ok(reader.destroyed)
    t.equal((await recording.done) !== undefined, isKept)
    t.equal(origin.destroyed, true)
  }
})

t.test('a reader who leaves ends nothing for others', async t => {
  const { record } = await stage(t)
  const origin = new Origin(8 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const leaver = recording.open()
  const stays = bytesOf(recording.open())
  leaver.once('data', () => leaver.destroy())
  t.equal(hash(await stays), hash(origin.bytes))
  t.ok(await recording.done)
})

t.test('a body that fails, is short or too long fails for its readers, and is not kept', async t => {
  const { record, faults } = await stage(t)
  const failing = (): Readable => Readable.from((function * () {
    yield Buffer.alloc(700_000)
    throw new Error('reset')
  })())
  const bodies: Array<[string, () => Readable, number | undefined]> = [
    ['fails', failing, undefined],
    ['fails with a length', failing, 5_000_000],
    ['is short', () => new Origin(700_000), 700_001],
    ['is short and small', () => new Origin(10), 11],
    ['is too long', () => new Origin(700_000), 699_999],
    ['is too long and small', () => new Origin(10), 9],
    ['ends without an end', () => { const body = new PassThrough(); body.write('x'); setTimeout(() => body.destroy(), 20); return body }, undefined]
  ]
  for (const [how, body, length] of bodies) {
    const recording = record(body(), { length })
    const readers = [recording.open(), recording.open({ start: 0, end: (length ?? 1e6) - 1 })]
    for (const result of await Promise.allSettled(readers.map(bytesOf))) t.equal(result.status, 'rejected', how)
    t.equal(await recording.done, undefined, how)
    t.throws(() => recording.open(), { name: /^(?:Media)?Error$/ }, how)
  }
  t.same(faults, [])
})

t.test('aborted, it ends for all', async t => {
  const { record } = await stage(t)
  const recording = record(new PassThrough(), { length: 10 })
  const read = bytesOf(recording.open())
  recording.abort(new Error('closing'))
  await t.rejects(read, { message: 'closing' })
  t.equal(await recording.done, undefined)
  recording.abort(new Error('again'))
})

t.test('what turns out too large still reaches its readers whole, and is not kept', async t => {
  const { record } = await stage(t)
  for (const options of [{ maxBytes: 3 * MEBIBYTE }, { openSpool: async () => undefined }, { memoryBytes: 0, openSpool: async () => undefined }]) {
    const origin = new Origin(12 * MEBIBYTE)
    const recording = record(origin, options)
    const readers = [bytesOf(recording.open()), slowly(recording.open())]
    for (const read of readers) t.equal(hash(await read), hash(origin.bytes))
    t.equal(await recording.done, undefined)
    t.equal(recording.givenUp, 1)
    await t.rejects(async () => await recording.late(), { name: 'RepresentationChanged' })
  }
})

t.test('what is not kept goes at the pace of the slowest, unless that one takes nothing at all', async t => {
  const { record } = await stage(t)
  const origin = new Origin(12 * MEBIBYTE)
  const recording = record(origin, { openSpool: async () => undefined })
  const stuck = recording.open()
  stuck.read(0)
  const goes = bytesOf(recording.open())
  t.equal(hash(await goes), hash(origin.bytes))
  t.ok(stuck.destroyed, 'it held up the other for too long')
})

t.test('a disk that is too small for it is no reason to fail', async t => {
  const { record, store } = await stage(t, 4 * MEBIBYTE)
  const origin = new Origin(12 * MEBIBYTE)
  const recording = record(origin, { length: origin.bytes.length })
  const readers = [bytesOf(recording.open()), slowly(recording.open())]
  for (const read of readers) t.equal(hash(await read), hash(origin.bytes))
  t.equal(await recording.done, undefined)
  t.ok(store.bytes <= 4 * MEBIBYTE)
})

t.test('a disk that loses what was written there breaks off who reads it, and nobody else', async t => {
  const { record } = await stage(t)
  const origin = new Origin(8 * MEBIBYTE)
  const lossy = { append: async () => true, read: async () => { throw new Error('lost') }, finish: async () => undefined, close: async () => undefined } as unknown as Spool
  const recording = record(origin, { length: origin.bytes.length, openSpool: async () => lossy })
  t.equal(hash(await bytesOf(recording.open())), hash(origin.bytes))
  await t.rejects(bytesOf(recording.open()), { message: 'lost' })
  t.equal(await recording.done, undefined)
})
