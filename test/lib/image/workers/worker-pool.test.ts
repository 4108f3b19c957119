import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { FailureCode } from '../../../../lib/errors.ts'
import { WorkerPool } from '../../../../lib/image/workers/worker-pool.ts'
import { workerEnv, type WorkerEvent, type WorkerPoolOptions } from '../../../../lib/image/workers/worker-options.ts'
import { revisionOf, type StoredFile } from '../../../../lib/sources/stored-file.ts'
import { eventually } from '../../../helpers/process.ts'
import { pretend } from './programs/pretend.ts'

const program = new URL('./programs/hostile.ts', import.meta.url)

/** A pool that ends with the test, and what happened to its workers. */
function poolFor (t: Test, options: WorkerPoolOptions = {}): { pool: WorkerPool, events: WorkerEvent[] } {
  const events: WorkerEvent[] = []
  const pool = new WorkerPool({ workers: 1, program, onEvent: event => events.push(event), ...options })
  t.teardown(async () => await pool.close())
  return { pool, events }
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function storedFile (t: Test, text: string): StoredFile {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'pool-')))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'original')
  writeFileSync(path, text)
  const stats = statSync(path, { bigint: true })
  return { path, revision: revisionOf(stats), size: text.length, changed: Number(stats.ctimeMs) }
}

t.test('workers start with the first job, do one after the other, and tell what their engine can', async t => {
  const { pool, events } = poolFor(t)
  t.same([pool.alive, pool.busy, pool.pids], [0, 0, []])
  const pids = [await pool.run(pretend('pid'), []), await pool.run(pretend('pid'), [])].map(({ bytes }) => Number(bytes.toString()))
  t.same(pids, [pool.pids[0], pool.pids[0]])
  t.same(await pool.engine(), { inputs: ['jpeg', 'png'], outputs: ['webp'] })
  t.match(events, [{ kind: 'started', pid: pids[0], startMs: Number }])
  t.equal(pool.alive, 1)
})

t.test('engine() starts a worker where none is there, which then does jobs', async t => {
  const { pool } = poolFor(t)
  const [one, other] = await Promise.all([pool.engine(), pool.engine()])
  t.same(one, other)
  t.same([pool.alive, pool.busy], [1, 0])
  t.equal(Number((await pool.run(pretend('pid'), [])).bytes), pool.pids[0])
})

t.test('jobs run at once on as many workers as there may be, and no more', async t => {
  const { pool } = poolFor(t, { workers: 2 })
  const enough = new AbortController()
  const runs = [1, 2, 3, 4, 5].map(async () => await pool.run(pretend('sleep', { ms: 60_000 }), [], { signal: enough.signal }))
  t.ok(await eventually(() => pool.busy === 2, 15_000))
  t.equal(pool.alive, 2)
  enough.abort(new Error('enough'))
  for (const settled of await Promise.allSettled(runs)) t.match(settled, { status: 'rejected', reason: { message: 'enough' } })
  t.equal(pool.busy, 0)
})

t.test('bytes, streams and stored files arrive in their order, and facts come back', async t => {
  const { pool } = poolFor(t)
  const inputs = (): [Buffer, StoredFile, Readable, Readable] => [Buffer.from('bytes '), storedFile(t, 'stored '), Readable.from([Buffer.from('str'), Buffer.from('eam ')]), Readable.from(['text'])]
  const { bytes, facts } = await pool.run(pretend('echo'), inputs())
  t.equal(bytes.toString(), 'bytes stored stream text')
  t.same(facts, { width: 3, height: 4 })
  t.same(JSON.parse((await pool.run(pretend('heads'), inputs())).bytes.toString()), [[6, 'byte', false], [7, 'stor', true], [7, 'stre', false], [4, 'text', false]], 'only a stored file has a path')
})

t.test('large inputs and results pass, in any pieces', async t => {
  const { pool } = poolFor(t)
  const large = Buffer.alloc(5_000_001, 'abcdefg')
  t.ok((await pool.run(pretend('echo'), [large])).bytes.equals(large))
  t.ok((await pool.run(pretend('echo'), [Readable.from([large.subarray(0, 3_000_000), large.subarray(3_000_000)])])).bytes.equals(large))
  t.equal((await pool.run(pretend('big', { mib: 40 }), [])).bytes.length, 40 * 1024 * 1024)
  t.equal(pool.alive, 1)
})

t.test('a worker gets none of the server\'s environment', async t => {
  process.env['SECRET_OF_THE_SERVER'] = 'x'
  t.teardown(() => { delete process.env['SECRET_OF_THE_SERVER'] })
  const { pool } = poolFor(t, { env: { EXTRA: '1' } })
  const env = JSON.parse((await pool.run(pretend('env'), [])).bytes.toString()) as Record<string, string>
  t.match(env, { EXTRA: '1', ...workerEnv })
  t.notOk('SECRET_OF_THE_SERVER' in env || 'PATH' in env || 'HOME' in env)
})

t.test('what a job throws comes back with its code; anything else is a broken image whose reason only the log has', async t => {
  const { pool } = poolFor(t)
  await t.rejects(pool.run(pretend('fail', { code: 'image-too-large' satisfies FailureCode, detail: 'It has 60 megapixels' }), []), { name: 'MediaError', code: 'image-too-large', statusCode: 422, detail: 'It has 60 megapixels' })
  const error = await pool.run(pretend('throw'), []).catch((error: unknown) => error)
  t.match(error, { name: 'MediaError', code: 'broken-image', detail: 'The image cannot be read', cause: { message: /TypeError: a secret of the machine/ } })
  t.equal(pool.alive, 1, 'the worker is used on')
})

t.test('a stored file that changed since it was looked at is told as that, also when it changes meanwhile', async t => {
  const { pool } = poolFor(t)
  const file = storedFile(t, 'older')
  await t.rejects(pool.run(pretend('echo'), [{ ...file, revision: '1-2-3-4-5' }]), { name: 'RepresentationChanged' })
  await t.rejects(pool.run(pretend('change', { path: file.path }), [file]), { name: 'RepresentationChanged' })
  await t.rejects(pool.run(pretend('echo'), [{ ...file, path: `${file.path}-gone` }]), { name: 'RepresentationChanged' })
  t.equal(pool.alive, 1)
})

t.test('inputs beyond the limit are refused, streams as soon as they pass it', async t => {
  const { pool } = poolFor(t)
  const options = { maxInputBytes: 1000 }
  await t.rejects(pool.run(pretend('echo'), [Buffer.alloc(1001)], options), { code: 'image-too-large' })
  await t.rejects(pool.run(pretend('echo'), [storedFile(t, 'x'.repeat(1001))], options), { code: 'image-too-large' })
  t.equal(pool.alive, 0, 'neither needed a worker')
  let given = 0
  const endless = new Readable({ read () { this.push(Buffer.alloc(100)); given += 100 } })
  await t.rejects(pool.run(pretend('echo'), [endless], options), { code: 'image-too-large' })
  t.ok(endless.destroyed)
  t.ok(given < 200_000, `${given} bytes were read`)
  t.equal((await pool.run(pretend('echo'), [Buffer.alloc(1000)], options)).bytes.length, 1000)
})

t.test('a stream is read no faster than its worker takes it', async t => {
  const { pool } = poolFor(t)
  await pool.engine()
  let given = 0
  const endless = new Readable({ highWaterMark: 65536, read () { this.push(Buffer.alloc(65536)); given += 65536 } })
  const gone = new AbortController()
  const run = pool.run(pretend('echo'), [Buffer.from('x'), endless], { signal: gone.signal, maxInputBytes: 1e9 })
  process.kill(pool.pids[0] ?? 0, 'SIGSTOP')
  await wait(100)
  t.ok(given < 8e6, `${given} bytes for a worker that stands still`)
  gone.abort(new Error('enough'))
  await t.rejects(run, { message: 'enough' })
  t.ok(endless.destroyed)
})

t.test('a stream that fails ends the job with its error, and one that nobody read yet ends no process', async t => {
  const { pool } = poolFor(t)
  const broken = new PassThrough()
  broken.write('some')
  setTimeout(() => broken.destroy(new Error('the origin hung up')), 20)
  await t.rejects(pool.run(pretend('echo'), [broken]), { message: 'the origin hung up' })
  const [busy, early] = [pool.run(pretend('sleep', { ms: 50 }), []), new PassThrough()]
  const waits = pool.run(pretend('echo'), [early])
  early.destroy(new Error('gone before its turn'))
  await busy
  await t.rejects(waits, { message: 'gone before its turn' })
  t.equal((await pool.run(pretend('echo'), [Buffer.from('ok')])).bytes.toString(), 'ok')
})

t.test('streams are destroyed whenever the job ends, read or not', async t => {
  const { pool } = poolFor(t)
  const streams = [new PassThrough(), new PassThrough(), new PassThrough()] as const
  await t.rejects(pool.run(pretend('nothing'), [streams[0]], { deadlineMs: 50 }), { code: 'image-too-costly' })
  await t.rejects(pool.run(pretend('nothing'), [Buffer.alloc(10), streams[1]], { maxInputBytes: 1 }), { code: 'image-too-large' })
  await t.rejects(pool.run(pretend('nothing'), [streams[2]], { signal: AbortSignal.abort(new Error('left')) }), { message: 'left' })
  t.same(streams.map(({ destroyed }) => destroyed), [true, true, true])
})

t.test('a job that is cancelled while it waits leaves no trace; one that runs is stopped and its worker used on', async t => {
  const { pool } = poolFor(t)
  const [running, waiting] = [new AbortController(), new AbortController()]
  const one = pool.run(pretend('sleep', { ms: 5000 }), [], { signal: running.signal })
  t.ok(await eventually(() => pool.busy === 1))
  const two = pool.run(pretend('sleep', { ms: 5000 }), [], { signal: waiting.signal })
  const pid = pool.pids[0]
  waiting.abort(new Error('left early'))
  await t.rejects(two, { message: 'left early' })
  running.abort(new Error('left late'))
  await t.rejects(one, { message: 'left late' })
  t.equal(Number((await pool.run(pretend('pid'), [])).bytes), pid)
})

t.test('a job that does not heed its cancellation is killed, and the next one has a new worker', async t => {
  const { pool, events } = poolFor(t)
  for (const deed of ['deaf', 'spin', 'decode']) {
    await pool.engine()
    const gone = new AbortController()
    const run = pool.run(pretend(deed, { ms: 60_000 }), [], { signal: gone.signal, deadlineMs: 60_000 })
    const next = pool.run(pretend('pid'), [])
    t.ok(await eventually(() => pool.busy === 1))
    const pid = pool.pids[0] ?? 0
    gone.abort(new Error('left'))
    await t.rejects(run, { message: 'left' })
    t.notOk(isAlive(pid), `${deed} is over`)
    t.not(Number((await next).bytes), pid)
  }
  t.same(events.filter(({ kind }) => kind === 'killed').map(event => 'reason' in event && event.reason), ['cancelled', 'cancelled', 'cancelled'])
})

t.test('40 jobs cancelled while they run leave idle workers, and no process that nobody knows', async t => {
  const { pool, events } = poolFor(t, { workers: 2 })
  for (let count = 0; count < 40; count++) {
    const gone = new AbortController()
    const run = pool.run(pretend(count % 10 === 9 ? 'deaf' : 'sleep', { ms: 5000 }), [Buffer.alloc(200_000)], { signal: gone.signal })
    await eventually(() => pool.busy === 1)
    gone.abort(new Error('left'))
    await t.rejects(run, { message: 'left' })
  }
  t.equal(pool.busy, 0)
  t.ok(pool.alive <= 2)
  const killed = events.filter(({ kind }) => kind === 'killed').length
  t.ok(killed < 20, `${killed} had to be killed: of those that do not heed, and few others`)
  const known = new Set(pool.pids)
  for (const event of events) if (event.kind === 'started' && event.pid !== undefined && !known.has(event.pid)) t.notOk(isAlive(event.pid))
  t.equal((await pool.run(pretend('echo'), [Buffer.from('fine')])).bytes.toString(), 'fine')
})

t.test('a worker that nobody needs ends, and so do all on close', async t => {
  const { pool, events } = poolFor(t, { idleMs: 50 })
  await pool.engine()
  const [first] = pool.pids
  t.ok(await eventually(() => pool.alive === 0))
  t.match(events, [{ kind: 'started' }, { kind: 'ended', pid: first, reason: 'rest' }])
  const { pool: other, events: otherEvents } = poolFor(t)
  await other.engine()
  const pids = other.pids
  await other.close()
  t.same([other.alive, ...pids.map(isAlive)], [0, false])
  t.match(otherEvents, [{ kind: 'started' }, { kind: 'ended', reason: 'closed', exitCode: 0 }], 'it ended by itself')
})

t.test('close ends what runs, what waits and what starts', async t => {
  const { pool } = poolFor(t)
  const starting = pool.run(pretend('nothing'), [])
  await Promise.all([t.rejects(starting, { code: 'unavailable' }), pool.close()])
  const { pool: other } = poolFor(t)
  await other.engine()
  const runs = [other.run(pretend('deaf', { ms: 5000 }), []), other.run(pretend('nothing'), [])]
  await Promise.all([...runs.map(async run => await t.rejects(run, { code: 'unavailable', headers: { 'retry-after': '5' } })), other.close()])
  await t.rejects(other.run(pretend('nothing'), []), { code: 'unavailable' })
  t.equal(other.alive, 0)
  const { pool: heeding, events } = poolFor(t)
  await heeding.engine()
  const run = heeding.run(pretend('sleep', { ms: 5000 }), [])
  t.ok(await eventually(() => heeding.busy === 1))
  await Promise.all([t.rejects(run, { code: 'unavailable' }), heeding.close()])
  t.match(events.at(-1), { kind: 'ended', reason: 'closed' })
})
