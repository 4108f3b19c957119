import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { WorkerPool } from '../../../../lib/image/workers/worker-pool.ts'
import type { WorkerEvent, WorkerPoolOptions } from '../../../../lib/image/workers/worker-options.ts'
import { pageBytes, ProcessMemory } from '../../../../lib/image/workers/process-memory.ts'
import { eventually } from '../../../helpers/process.ts'
import { pretend } from './programs/pretend.ts'

const programs = new URL('./programs/', import.meta.url)
const MIB = 1024 * 1024
const hasProc = pageBytes() !== undefined ? false : 'there is no /proc here'

function poolFor (t: Test, options: WorkerPoolOptions = {}): { pool: WorkerPool, events: WorkerEvent[] } {
  const events: WorkerEvent[] = []
  const pool = new WorkerPool({ workers: 1, program: new URL('hostile.ts', programs), onEvent: event => events.push(event), ...options })
  t.teardown(async () => await pool.close())
  return { pool, events }
}

function isRunning (pid: number): boolean {
  try {
    // A process that ended stays as a zombie until whoever adopted it looks.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

t.test('a job past its deadline is killed, whatever it does, and told so', async t => {
  const { pool, events } = poolFor(t, { deadlineMs: 150 })
  await pool.engine()
  for (const deed of ['deaf', 'spin', 'decode']) {
    const began = performance.now()
    await t.rejects(pool.run(pretend(deed, { ms: 60_000 }), []), { code: 'image-too-costly', statusCode: 422, detail: 'The image takes more time than 150 ms', context: { reason: 'time' } })
    t.ok(performance.now() - began < 30_000, `${deed}: ${Math.round(performance.now() - began)} ms, a start included`)
  }
  await t.rejects(pool.run(pretend('sleep', { ms: 10_000 }), [], { deadlineMs: 20 }), { code: 'image-too-costly', detail: 'The image takes more time than 20 ms' })
  t.equal(events.filter(event => event.kind === 'killed' && event.reason === 'time').length, 4)
  t.equal((await pool.run(pretend('echo'), [Buffer.from('fine')])).bytes.toString(), 'fine')
})

t.test('a job that takes more memory than a worker may have is killed before it has much more', { skip: hasProc }, async t => {
  const { pool } = poolFor(t, { workerBytes: 160 * MIB })
  await pool.engine()
  const memory = new ProcessMemory(pool.pids[0] ?? 0, pageBytes())
  t.teardown(() => memory.close())
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, memory.read()) }, 5)
  await t.rejects(pool.run(pretend('grow', { mib: 1000 }), []), { code: 'image-too-costly', detail: 'The image takes more memory than 160 MiB', context: { reason: 'memory' } })
  clearInterval(watch)
  t.ok(most > 60 * MIB && most < 320 * MIB, `${Math.round(most / MIB)} MiB at most`)
})

t.test('together workers keep to their bound: idle ones are ended first, then the biggest gives way as busy', { skip: hasProc }, async t => {
  const { pool, events } = poolFor(t, { workers: 3, workerBytes: 400 * MIB, totalBytes: 480 * MIB })
  await Promise.all([1, 2, 3].map(async () => await pool.run(pretend('sleep', { ms: 100 }), [])))
  t.equal(pool.alive, 3)
  const [large, small] = await Promise.allSettled([pool.run(pretend('grow', { mib: 320, ms: 1500 }), []), pool.run(pretend('grow', { mib: 100, ms: 1000 }), [])])
  t.equal(small.status, 'fulfilled')
  t.match(large, { status: 'rejected', reason: { code: 'busy', statusCode: 503, headers: { 'retry-after': '1' }, context: { reason: 'total-memory' } } })
  const reasons = events.filter(({ kind }) => kind !== 'started').map(event => 'reason' in event && event.reason)
  t.equal(reasons[0], 'rest', 'the idle one went first')
  t.ok(reasons.includes('total-memory'))
})

t.test('a single job past the bound of all workers is to blame itself', { skip: hasProc }, async t => {
  const { pool } = poolFor(t, { totalBytes: 120 * MIB })
  await t.rejects(pool.run(pretend('grow', { mib: 400 }), []), { code: 'image-too-costly' })
})

t.test('a worker that keeps much memory after a job is replaced before the next', { skip: hasProc }, async t => {
  const { pool, events } = poolFor(t, { workerBytes: 300 * MIB })
  await pool.run(pretend('grow', { mib: 160 }), [])
  const [before] = pool.pids
  t.not(Number((await pool.run(pretend('pid'), [])).bytes), before)
  t.match(events, [{ kind: 'started' }, { kind: 'ended', pid: before }, { kind: 'started' }])
})

t.test('a job that needs what earlier ones left gets a fresh worker, and is not blamed for them', { skip: hasProc }, async t => {
  const { pool } = poolFor(t, { workerBytes: 500 * MIB })
  const pidOf = async (needMib: number): Promise<number> => Number((await pool.run(pretend('pid'), [], { needBytes: needMib * MIB })).bytes)
  const first = await pidOf(0)
  t.equal(await pidOf(100), first, 'there is room')
  const second = await pidOf(495)
  t.not(second, first, 'a worker takes tens of megabytes itself')
  t.not(await pidOf(10_000), second)
  t.equal(pool.alive, 1)
})

t.test('a worker that crashes or leaves ends its job only', async t => {
  const { pool, events } = poolFor(t)
  for (const deed of ['exit', 'abort', 'stderr']) {
    await t.rejects(pool.run(pretend(deed), []), { code: 'image-too-costly', detail: 'The image worker ended while it read this image', context: { reason: 'crash' } }, deed)
  }
  const ends = events.flatMap(event => event.kind === 'crashed' ? [event] : [])
  t.match(ends, [{ exitCode: 3, signal: null }, { signal: 'SIGABRT' }, { signal: 'SIGABRT', stderr: /a warning/ }])
  t.ok(ends.every(({ stderr }) => stderr.length <= 2048))
  t.equal((await pool.run(pretend('echo'), [Buffer.from('fine')])).bytes.toString(), 'fine')
})

t.test('a worker that breaks the protocol is killed at once', async t => {
  const { pool, events } = poolFor(t)
  const raw = (kind: number, payload: string): ReturnType<typeof pretend> => pretend('raw', { kind, payload })
  const jobs = [pretend('garbage'), pretend('huge'), pretend('facts'), raw(0, '{"inputs":[],"outputs":[]}'), raw(1, '{}'), raw(5, 'xy'), raw(6, 'not JSON'), raw(6, '{"kind":"failed","code":"unheard-of","message":""}'), raw(6, 'x'.repeat(20_000))]
  for (const job of jobs) {
    await t.rejects(pool.run(job, []), { code: 'image-too-costly', detail: 'The image worker ended while it read this image', context: { reason: 'malformed' } }, JSON.stringify(job).slice(0, 80))
  }
  t.equal(events.filter(event => event.kind === 'killed' && event.reason === 'malformed' && event.stderr.startsWith('FrameFault')).length, jobs.length)
})

t.test('an answer too many, at once or later, ends the worker and reaches no other job', async t => {
  const { pool, events } = poolFor(t)
  await t.rejects(pool.run(pretend('twice'), []), { code: 'broken-image', detail: 'one' })
  t.equal((await pool.run(pretend('echo'), [Buffer.from('mine')])).bytes.toString(), 'mine')
  await pool.run(pretend('late'), [])
  const killed = (): number => events.filter(event => event.kind === 'killed' && event.reason === 'malformed').length
  t.ok(await eventually(() => killed() === 2))
  t.equal((await pool.run(pretend('echo'), [Buffer.from('mine')])).bytes.toString(), 'mine')
})

t.test('results above the bound and floods of warnings end the worker, not the server', async t => {
  const { pool } = poolFor(t, { maxResultBytes: 2 * MIB })
  await t.rejects(pool.run(pretend('big', { mib: 3 }), []), { code: 'image-too-costly', context: { reason: 'malformed' } })
  t.equal((await pool.run(pretend('big', { mib: 1 }), [])).bytes.length, MIB)
  const before = process.memoryUsage.rss()
  await t.rejects(pool.run(pretend('flood'), []), { code: 'image-too-costly', context: { reason: 'malformed' } })
  t.ok(process.memoryUsage.rss() - before < 48 * MIB)
})

t.test('where no worker can be started, jobs are answered as unavailable, and starts become rare', async t => {
  const { pool, events } = poolFor(t, { program: new URL('dies.ts', programs) })
  await t.rejects(pool.run(pretend('nothing'), []), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '5' }, cause: { message: /cannot find a shared library/ } })
  await t.rejects(pool.engine(), { code: 'unavailable' })
  for (let count = 0; count < 20; count++) await t.rejects(pool.run(pretend('nothing'), []), { code: 'unavailable' })
  t.equal(events.length, 1, 'one start for all of them')
  t.match(events, [{ kind: 'not-started', exitCode: 0 }])
  t.ok(await eventually(async () => {
    await pool.run(pretend('nothing'), []).catch(() => {})
    return events.length === 2
  }), 'tried again after a while')
})

t.test('a worker that never says hello is killed, and one whose program is missing is told', async t => {
  const { pool, events } = poolFor(t, { program: new URL('silent.ts', programs), startMs: 400 })
  await t.rejects(pool.run(pretend('nothing'), []), { code: 'unavailable' })
  t.match(events, [{ kind: 'not-started', reason: 'start' }])
  const { pool: other } = poolFor(t, { program: new URL('missing.js', programs) })
  await t.rejects(other.run(pretend('nothing'), []), { code: 'unavailable', cause: { message: /Cannot find module/ } })
})

t.test('where the system gives no process, jobs are answered as unavailable', async t => {
  const { pool } = poolFor(t, { env: { NUL: 'a\0b' } })
  await t.rejects(pool.run(pretend('nothing'), []), { code: 'unavailable', cause: { message: /null bytes/ } }, 'told at once')
  const { execPath } = process
  t.teardown(() => { process.execPath = execPath })
  process.execPath = '/nowhere/node'
  const { pool: other } = poolFor(t)
  const run = other.run(pretend('nothing'), [])
  process.execPath = execPath
  await t.rejects(run, { code: 'unavailable', cause: { message: /ENOENT/ } }, 'told later')
  t.equal(other.alive, 0)
})

t.test('workers end when their server is killed, idle ones and those in a decode', { skip: hasProc }, async t => {
  const server = spawn(process.execPath, ['--import=./test/loader/ts.mjs', fileURLToPath(new URL('parent.ts', programs))], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => server.kill('SIGKILL'))
  const [line] = await once(createInterface(server.stdout), 'line') as [string]
  const pids = JSON.parse(line) as number[]
  t.same(pids.map(isRunning), [true, true])
  server.kill('SIGKILL')
  t.ok(await eventually(() => !pids.some(isRunning)), 'none is left')
})

t.test('a worker does not end by signals that a terminal sends to all', async t => {
  const { pool } = poolFor(t)
  await pool.engine()
  const run = pool.run(pretend('sleep', { ms: 100 }), [])
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pool.pids[0] ?? 0, signal)
  t.match(await run, { bytes: Buffer })
})

t.test('the server goes on while workers spin, grow, crash and send much', async t => {
  const deadlineMs = 1500
  const { pool } = poolFor(t, { workers: 2, deadlineMs, workerBytes: 200 * MIB })
  await pool.engine()
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  await Promise.allSettled(['spin', 'grow', 'big', 'abort', 'decode', 'big', 'garbage'].map(async deed => await pool.run(pretend(deed, { ms: 5000, mib: deed === 'big' ? 30 : 1000 }), [])))
  delay.disable()
  const p99 = delay.percentile(99) / 1e6
  t.ok(p99 < deadlineMs / 2, `${Math.round(p99)} ms: it waits for none of them`)
})

t.test('memory of a process is told in bytes, and is 0 when it is gone', { skip: hasProc }, async t => {
  const own = new ProcessMemory(process.pid, pageBytes())
  const rss = process.memoryUsage.rss()
  t.ok(Math.abs(own.read() - rss) < rss / 4)
  own.close()
  own.close()
  t.equal(own.read(), 0)
  t.equal(new ProcessMemory(2 ** 30, pageBytes()).read(), 0)
  t.equal(new ProcessMemory(process.pid, undefined).read(), 0)
  const brief = spawn('sleep', ['60'])
  const its = new ProcessMemory(brief.pid ?? 0, pageBytes())
  t.ok(its.read() > 0)
  brief.kill('SIGKILL')
  await once(brief, 'exit')
  t.equal(its.read(), 0)
  its.close()
})
