import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { MediaError } from '../../../../lib/errors.ts'
import { FrameReader, sendFrame, sendJson, type FrameKind } from '../../../../lib/image/workers/frames.ts'
import type { RunJob } from '../../../../lib/image/job.ts'
import { serveJobs } from '../../../../lib/image/workers/worker-loop.ts'
import { SentInput } from '../../../../lib/image/workers/worker-inputs.ts'
import { readFailure, readHello, readResult, type JobMessage } from '../../../../lib/image/workers/worker-messages.ts'
import { revisionOf, type StoredFile } from '../../../../lib/sources/stored-file.ts'
import { eventually, openBelow } from '../../../helpers/process.ts'
import { pretend } from './programs/pretend.ts'

interface Conversation {
  channel: Duplex
  /** The next frame of the worker. */
  next: () => Promise<[kind: FrameKind, payload: Buffer]>
  /** How often the worker wanted to end its process. */
  deaths: () => number
}

/** The loop of a worker in this process, and the server's end of its pipe. */
function converse (runJob: RunJob): Conversation {
  const [there, back] = [new PassThrough(), new PassThrough()]
  const channel = Duplex.from({ readable: back, writable: there })
  const frames: Array<[FrameKind, Buffer]> = []
  const reader = new FrameReader({ accept: (_kind, length) => Buffer.alloc(length), receive: (kind, payload) => { frames.push([kind, payload]) } })
  channel.on('data', (bytes: Buffer) => reader.push(bytes))
  channel.on('error', () => {})
  let deaths = 0
  serveJobs(runJob, { inputs: ['png'], outputs: ['jpeg'] }, { channel: Duplex.from({ readable: there, writable: back }), die: () => { deaths++ } })
  const next = async (): Promise<[FrameKind, Buffer]> => {
    for (let turn = 0; turn < 500; turn++) {
      const frame = frames.shift()
      if (frame !== undefined) return frame
      await wait(5)
    }
    throw new Error('The worker says nothing')
  }
  return { channel, next, deaths: () => deaths }
}

function order (channel: Duplex, inputs: JobMessage['inputs'] = []): void {
  sendJson(channel, 'job', { job: pretend('anything'), inputs, maxInputBytes: 1000 } satisfies JobMessage)
}

function storedFile (t: Test, text: string): StoredFile {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'loop-')))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'original')
  writeFileSync(path, text)
  const stats = statSync(path, { bigint: true })
  return { path, revision: revisionOf(stats), size: text.length, changed: Number(stats.ctimeMs) }
}

const echo: RunJob = async (_job, inputs) => ({ bytes: Buffer.concat(await Promise.all(inputs.map(async input => await input.bytes()))), facts: { frames: inputs.length } })

t.test('it says hello, then answers each job, also with what was sent in pieces', async t => {
  const { channel, next } = converse(echo)
  const [kind, payload] = await next()
  t.equal(kind, 'hello')
  t.same(readHello(payload), { inputs: ['png'], outputs: ['jpeg'] })
  order(channel, [{ sent: 5 }, storedFile(t, ' file '), { sent: null }])
  for (const piece of ['by', 'tes']) sendFrame(channel, 'chunk', Buffer.from(piece))
  sendFrame(channel, 'input-end')
  sendFrame(channel, 'chunk', Buffer.from('stream'))
  sendFrame(channel, 'input-end')
  const [answer, result] = await next()
  t.equal(answer, 'result')
  t.match(readResult(result), { bytes: Buffer.from('bytes file stream'), facts: { frames: 3 } })
  order(channel)
  t.match(readResult((await next())[1]), { bytes: Buffer.alloc(0) })
})

t.test('an input tells its head, its size, and a path only where a file was opened', async t => {
  const seen: unknown[] = []
  const { channel, next } = converse(async (_job, inputs) => {
    for (const input of inputs) seen.push([input.size, (await input.head(3)).toString(), (await input.head(99)).toString(), input.path?.replace(/\d+$/, 'N')])
    return { bytes: Buffer.alloc(0), facts: {} }
  })
  await next()
  order(channel, [storedFile(t, 'stored'), { sent: 4 }])
  sendFrame(channel, 'chunk', Buffer.from('sent'))
  sendFrame(channel, 'input-end')
  await next()
  t.same(seen, [[6, 'sto', 'stored', '/proc/self/fd/N'], [4, 'sen', 'sent', undefined]])
})

t.test('files are closed after each job, whatever became of it', async t => {
  const file = storedFile(t, 'stored')
  const { channel, next } = converse(async () => { throw new MediaError('broken-image', { detail: 'no' }) })
  await next()
  for (const inputs of [[file], [file, { ...file, revision: 'another' }], [file, { ...file, path: `${file.path}-gone` }]]) {
    order(channel, inputs)
    t.equal((await next())[0], 'failure')
    t.equal(openBelow(file.path), 0)
  }
})

t.test('a file that changes while a job reads it, or is shorter than it was, is told as changed', async t => {
  const file = storedFile(t, 'older')
  const { channel, next } = converse(async (job, inputs, signal) => {
    writeFileSync(file.path, 'ne')
    return await echo(job, inputs, signal)
  })
  await next()
  order(channel, [file])
  t.equal(readFailure((await next())[1]).kind, 'changed')
  const same = storedFile(t, 'older')
  const { channel: other, next: nextOther } = converse(async () => {
    writeFileSync(same.path, 'newer')
    return { bytes: Buffer.from('made of both'), facts: {} }
  })
  await nextOther()
  order(other, [same])
  t.equal(readFailure((await nextOther())[1]).kind, 'changed')
})

t.test('a cancelled job is told by its signal, or never begins, and the next is done', async t => {
  let begun = 0
  const { channel, next } = converse(async (_job, inputs, signal) => {
    begun++
    if (inputs.length === 0) await wait(5000, undefined, { signal })
    return { bytes: Buffer.from('done'), facts: {} }
  })
  await next()
  order(channel)
  await eventually(() => begun === 1)
  sendFrame(channel, 'cancel')
  t.equal((await next())[0], 'failure')
  order(channel, [{ sent: null }])
  sendFrame(channel, 'chunk', Buffer.from('some'))
  sendFrame(channel, 'cancel')
  t.match(readFailure((await next())[1]), { kind: 'threw', message: /The job was cancelled/ })
  t.equal(begun, 1)
  // What was under way for the job that is over.
  sendFrame(channel, 'chunk', Buffer.from('rest'))
  sendFrame(channel, 'input-end')
  sendFrame(channel, 'cancel')
  order(channel, [{ sent: 1 }])
  sendFrame(channel, 'chunk', Buffer.from('x'))
  sendFrame(channel, 'input-end')
  t.equal(readResult((await next())[1]).bytes.toString(), 'done')
})

t.test('the end of the pipe ends the process at once while a job runs, else after a while', async t => {
  let isBusy = false
  const busy = converse(async () => {
    isBusy = true
    return await new Promise(() => {})
  })
  await busy.next()
  order(busy.channel)
  await eventually(() => isBusy)
  busy.channel.destroy()
  t.ok(await eventually(() => busy.deaths() === 1))
  const idle = converse(echo)
  await idle.next()
  const ended = performance.now()
  idle.channel.end()
  t.ok(await eventually(() => idle.deaths() === 1))
  t.ok(performance.now() - ended > 1000, 'nothing holds it: until then it may end by itself')
})

t.test('large inputs are collected when they pass', async t => {
  let collections = 0
  const gc = globalThis.gc
  globalThis.gc = (() => { collections++ }) as unknown as NonNullable<typeof gc>
  t.teardown(() => { Object.assign(globalThis, { gc }) })
  const { channel, next } = converse(async () => ({ bytes: Buffer.alloc(9 * 1024 * 1024), facts: {} }))
  await next()
  for (const expected of [0, 1, 1]) {
    order(channel)
    await next()
    t.equal(collections, expected)
  }
})

t.test('an input longer than was told is refused', t => {
  const input = new SentInput(4, 100)
  t.equal(input.next(3).length, 3)
  t.throws(() => input.next(2), { name: 'FrameFault' })
  t.throws(() => new SentInput(null, 10).next(11), { name: 'FrameFault' })
  t.end()
})
