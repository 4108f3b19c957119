import { pbkdf2 } from 'node:crypto'
import { writeFileSync, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { MediaError, type FailureCode } from '../../../../../lib/errors.ts'
import { serveJobs } from '../../../../../lib/image/workers/worker-loop.ts'
import type { ImageResult, OpenInput } from '../../../../../lib/image/job.ts'

/** A worker whose jobs do what `transform.do` names. */

const kept: Buffer[] = []
const done = (bytes: Buffer = Buffer.alloc(0), facts: ImageResult['facts'] = {}): ImageResult => ({ bytes, facts })

/** Blocks the thread, as nothing but a signal ends it. */
function spin (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end) Math.sqrt(end)
}

/** Grows by 8 MiB every few milliseconds. */
async function grow (mib: number): Promise<void> {
  for (let held = 0; held < mib; held += 8) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1))
    await wait(4)
  }
}

function frame (kind: number, payload: string): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt8(kind, 0)
  header.writeUInt32LE(payload.length, 1)
  return Buffer.concat([header, Buffer.from(payload)])
}

const deeds: Record<string, (inputs: readonly OpenInput[], signal: AbortSignal, transform: Record<string, unknown>) => Promise<ImageResult>> = {
  nothing: async () => done(),
  pid: async () => done(Buffer.from(String(process.pid))),
  env: async () => done(Buffer.from(JSON.stringify(process.env))),
  echo: async inputs => done(Buffer.concat(await Promise.all(inputs.map(async input => await input.bytes()))), { width: 3, height: 4 }),
  heads: async inputs => done(Buffer.from(JSON.stringify(await Promise.all(inputs.map(async input => [input.size, (await input.head(4)).toString(), input.path !== undefined]))))),
  sleep: async (_inputs, signal, { ms }) => {
    await wait(Number(ms), undefined, { signal })
    return done()
  },
  deaf: async (_inputs, _signal, { ms }) => {
    await wait(Number(ms))
    return done()
  },
  spin: async (_inputs, _signal, { ms }) => {
    spin(Number(ms))
    return done()
  },
  grow: async (_inputs, _signal, { mib, ms }) => {
    await grow(Number(mib))
    await wait(Number(ms ?? 0))
    return done()
  },
  // As a decoder does: burns a thread, leaves the loop free, cannot be interrupted.
  decode: async () => await new Promise((resolve, reject) => pbkdf2('a', 'b', 2 ** 30, 64, 'sha512', error => error === null ? resolve(done()) : reject(error))),
  change: async (_inputs, _signal, { path }) => {
    writeFileSync(String(path), 'newer')
    return done(Buffer.from('of the older'))
  },
  exit: async () => process.exit(3),
  abort: async () => process.abort(),
  throw: async () => { throw new TypeError('a secret of the machine') },
  fail: async (_inputs, _signal, { code, detail }) => { throw new MediaError(String(code) as FailureCode, { detail: String(detail) }) },
  big: async (_inputs, _signal, { mib }) => done(Buffer.alloc(Number(mib) * 1024 * 1024, 7)),
  facts: async () => done(Buffer.from('x'), { width: -1 }),
  garbage: async () => {
    writeSync(3, Buffer.alloc(4096, 0xee))
    await wait(5000)
    return done()
  },
  twice: async () => {
    writeSync(3, Buffer.concat([frame(6, '{"kind":"failed","code":"broken-image","detail":"one","message":""}'), frame(6, '{"kind":"failed","code":"broken-image","detail":"two","message":""}')]))
    await wait(5000)
    return done()
  },
  huge: async () => {
    const header = Buffer.alloc(5)
    header.writeUInt8(5, 0)
    header.writeUInt32LE(0xffffffff, 1)
    writeSync(3, header)
    await wait(5000)
    return done()
  },
  raw: async (_inputs, _signal, { kind, payload }) => {
    writeSync(3, frame(Number(kind), String(payload)))
    await wait(5000)
    return done()
  },
  late: async () => {
    setTimeout(() => writeSync(3, frame(5, 'unasked')), 30)
    return done()
  },
  stderr: async () => {
    process.stderr.write('a warning\n')
    await wait(20)
    process.abort()
  },
  flood: async () => {
    for (let written = 0; written < 64; written++) {
      process.stderr.write(Buffer.alloc(1024 * 1024, 'x'))
      await wait(1)
    }
    return done()
  }
}

serveJobs(async (job, inputs, signal) => {
  const transform: Record<string, unknown> = job.kind === 'variant' ? job.transform : {}
  return await deeds[String(transform['do'])]?.(inputs, signal, transform) ?? done()
}, { inputs: ['jpeg', 'png'], outputs: ['webp'] })
