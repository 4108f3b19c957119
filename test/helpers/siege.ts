import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test as Tap } from 'tap'
import { serving, type Running } from '../cli/process.ts'
import { ask, oneMount, scratch, serveMedia, type Answer, type Served, type Test } from './app.ts'
import { eventually } from './process.ts'
import { childrenOf, cpuMsOf, machineCpuMs, memoryOf, treeCpuMs, treeOf } from './process-tree.ts'

/** Milliseconds that a picture may take, in place of the default of 10,000: so that the tests are soon over. */
export const DEADLINE_MS = 2500
/** Bytes that all processes of a server may take together, whatever comes: 402 MB are the workers', the rest the server's own, of which newer versions of Node.js take more. */
export const MEMORY_BOUND = 560_000_000
/**
 * Milliseconds that show a plain file standing behind pictures, which take seconds. A quiet
 * machine answers within 50; how fast is told, and judged by the bench: here others run too.
 */
const STALLED_MS = 1000
/** What a server that worked may keep more than one that just started: compiled code, buffers, hot files. */
const KEPT_BYTES = 80_000_000
const PROBE_MS = 10
/** The least that is watched: of fewer probes the slowest of all would pass for that of a hundred. */
const MIN_WATCH_MS = 1500
const LOOK_MS = 5
/** Looks after which new processes are looked for, which takes a millisecond. */
const LOOKS_PER_TREE = 10

/** A server of its own, as it is installed, with a directory of hostile files. */
export interface Siege extends Running {
  readonly port: number
  readonly root: string
  readonly pid: number
  readonly memoryAtStart: number
}

/** A body that is larger than a packet, and small enough to be kept in memory. */
const PLAIN = 'plain '.repeat(500)

export interface SiegeOptions {
  /** The configuration's section `images`. */
  work?: Record<string, unknown>
  /** The mount's section `images`. */
  images?: Record<string, unknown>
  mount?: Record<string, unknown>
}

/** Starts the standalone server over a directory of its own with the given files, and `plain.txt`. */
export async function besieged (t: Test, files: Record<string, Buffer | string>, { work = {}, images = {}, mount = {} }: SiegeOptions = {}): Promise<Siege> {
  const config = {
    log: { level: 'warn' },
    images: { workers: 2, deadlineMs: DEADLINE_MS, idleMs: 1500, ...work, cache: { directory: 'variants', ...work.cache as object | undefined } },
    sources: { files: { driver: 'file', root: 'files' } },
    mounts: [{ source: 'files', images, ...mount }]
  }
  const directory = await scratch(t, {
    'media.config.json': JSON.stringify(config),
    'files/plain.txt': PLAIN,
    ...Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`files/${name}`, bytes]))
  })
  const server = await serving(t, ['--config', join(directory, 'media.config.json')], { cwd: directory })
  const pid = server.child.pid as number
  return { ...server, root: join(directory, 'files'), pid, memoryAtStart: memoryOf(treeOf(pid)) }
}

/** The same in this process, with one worker: for what is about answers alone. */
export async function servedPictures (t: Test, files: Record<string, Buffer | string>, { work = {}, images = {}, mount = {} }: SiegeOptions = {}): Promise<Served & { root: string, variants: string }> {
  const directory = await scratch(t, Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`files/${name}`, bytes])))
  const [root, variants] = [join(directory, 'files'), join(directory, 'variants')]
  const served = await serveMedia(t, oneMount(root, { images, ...mount }, {}, { images: { workers: 1, deadlineMs: DEADLINE_MS, ...work, cache: { directory: variants, ...work.cache as object | undefined } } }))
  return { ...served, root, variants }
}

/** What was seen while something happened. */
export interface Watched {
  /** Milliseconds within which 99 of 100 plain files were answered, at rest and during it. */
  readonly idleP99: number
  readonly p99: number
  readonly probes: number
  /** The most memory of all processes together, in bytes. */
  readonly peak: number
  /** Plain files that did not come. */
  readonly failed: number
  /** Whether they came as soon as they must. */
  readonly isPrompt: boolean
  /** How much longer all takes since others use the machine too: 1 where nobody does. */
  readonly slowness: number
}

async function probe (port: number, agent: Agent): Promise<number> {
  const began = performance.now()
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/plain.txt', agent }, response => {
      let length = 0
      response.on('data', (chunk: Buffer) => { length += chunk.length })
      response.on('end', () => response.statusCode === 200 && length === PLAIN.length ? resolve(performance.now() - began) : reject(new Error(`A plain file is ${response.statusCode}`)))
      response.on('error', reject)
    }).on('error', reject).end()
  })
}

/** Asks for a plain file every 10 ms until it is told to stop, whether or not the last one came. */
function probing (port: number): () => Promise<{ times: number[], failed: number }> {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 })
  const asked: Array<Promise<number>> = []
  const timer = setInterval(() => {
    const answer = probe(port, agent)
    answer.catch(() => {})
    asked.push(answer)
  }, PROBE_MS)
  return async () => {
    clearInterval(timer)
    const answers = await Promise.allSettled(asked)
    agent.destroy()
    const times = answers.flatMap(answer => answer.status === 'fulfilled' ? [answer.value] : [])
    return { times, failed: answers.length - times.length }
  }
}

function p99 (times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN
}

/** From now on: how much of the machine is left to this test and its server, as the factor by which bounds grow. */
function othersSince (pid: number): () => number {
  const own = (): number => treeCpuMs(pid) + (process.cpuUsage().user + process.cpuUsage().system) / 1000
  const [before, ownBefore] = [machineCpuMs(), own()]
  return () => {
    const [after, ownAfter] = [machineCpuMs(), own()]
    const others = Math.max(0, (after.used - before.used - (ownAfter - ownBefore)) / (after.all - before.all))
    return 1 / Math.max(0.1, 1 - others)
  }
}

/** Does something to a server, and tells what became of its plain files and its memory meanwhile. */
export async function watch<T> ({ port, pid }: Siege, attack: () => Promise<T>): Promise<{ result: T, seen: Watched }> {
  const resting = probing(port)
  await wait(600)
  const idle = await resting()
  const slowness = othersSince(pid)
  let peak = 0
  let tree = treeOf(pid)
  let looks = 0
  const look = setInterval(() => {
    if (looks++ % LOOKS_PER_TREE === 0) tree = treeOf(pid)
    peak = Math.max(peak, memoryOf(tree))
  }, LOOK_MS)
  const stop = probing(port)
  try {
    const began = performance.now()
    const result = await attack()
    await wait(Math.max(100, MIN_WATCH_MS - (performance.now() - began)))
    const { times, failed } = await stop()
    const [idleP99, busyP99] = [p99(idle.times), p99(times)]
    const slower = slowness()
    const isPrompt = busyP99 < STALLED_MS * slower
    return { result, seen: { idleP99, p99: busyP99, probes: times.length, peak, failed, isPrompt, slowness: slower } }
  } finally {
    clearInterval(look)
    await stop()
  }
}

/** Whether no worker uses CPU any more: none does in 300 ms. */
export async function isCalm ({ pid }: { pid: number }): Promise<boolean> {
  return await eventually(async () => {
    const before = cpuMsOf(childrenOf(pid))
    await wait(300)
    const after = cpuMsOf(childrenOf(pid))
    return [...after].every(([child, ms]) => ms - (before.get(child) ?? 0) <= 10)
  })
}

/** Bytes that the server takes when its workers have left. */
export async function memoryAtRest ({ pid }: Siege): Promise<number> {
  await eventually(() => childrenOf(pid).length === 0)
  return memoryOf(treeOf(pid))
}

/** An answer, and how long it took. */
export interface Timed extends Answer {
  readonly ms: number
  readonly code: string | undefined
}

/** Asks, and reads the problem's code where it is one. */
export async function askTimed (server: { port: number }, path: string, headers: Record<string, string> = {}): Promise<Timed> {
  const began = performance.now()
  const answer = await ask(server, path, { headers })
  return { ...answer, ms: performance.now() - began, code: codeOf(answer) }
}

function codeOf ({ headers, text }: { headers: IncomingHttpHeaders, text: string }): string | undefined {
  if (headers['content-type']?.startsWith('application/problem+json') !== true) return undefined
  return (JSON.parse(text) as { code?: string }).code
}

/** What is wrong with the answer to a picture that was to be refused; undefined where nothing is. */
export function wrongRefusal (answer: Timed, root: string): string | undefined {
  if (answer.status !== 415 && answer.status !== 422) return `status ${answer.status}: ${answer.text.slice(0, 300)}`
  if (answer.code === undefined) return `no problem with a code: ${answer.text.slice(0, 300)}`
  if (answer.text.includes(root) || /node_modules|\bat .*:\d+|\/tmp\/|\/proc\/|vips|sharp/i.test(answer.text)) return `tells too much: ${answer.text.slice(0, 300)}`
  return undefined
}

/** As {@link wrongRefusal}, where the picture may also be made. */
export function wrongAnswer (answer: Timed, root: string): string | undefined {
  if (answer.status === 200) return /^image\/(?:jpeg|png|webp|gif|avif|tiff)$/.test(answer.headers['content-type'] ?? '') && answer.body.length > 0 ? undefined : `a 200 of ${answer.headers['content-type']}`
  return wrongRefusal(answer, root)
}

/** Asks for many, so many at once, in the order of the list; alone, for what could not be made beside others. */
export async function askAll (server: { port: number }, paths: readonly string[], atOnce = 2): Promise<Map<string, Timed>> {
  const answers = new Map<string, Timed>()
  const left = [...paths]
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) answers.set(path, await askTimed(server, path))
  }))
  // One that had to give way to another may come again when that is done.
  for (const [path, { status, code, headers }] of answers) {
    if (status === 503 && code === 'busy' && headers['retry-after'] !== undefined) answers.set(path, await askTimed(server, path))
  }
  return answers
}

/** Shows that a server came through: it answers, took no more than it may, and nothing of the attack is left. */
export async function outlived (t: Tap, siege: Siege, seen: Watched): Promise<void> {
  t.comment(`plain files: ${seen.probes}, p99 ${seen.p99.toFixed(1)} ms (at rest ${seen.idleP99.toFixed(1)} ms); memory ${Math.round(seen.peak / 1e6)} MB at most; slowness ${seen.slowness.toFixed(1)}`)
  t.equal(seen.failed, 0, 'plain files are answered all the while')
  t.ok(seen.isPrompt, `and soon: p99 ${seen.p99} ms, at rest ${seen.idleP99} ms`)
  t.ok(seen.peak < MEMORY_BOUND, `all processes together take ${seen.peak} bytes`)
  t.ok(await isCalm(siege), 'no worker is at work afterwards')
  t.equal((await askTimed(siege, '/plain.txt')).status, 200, 'the server is there')
  const rest = await memoryAtRest(siege)
  t.ok(rest < siege.memoryAtStart + KEPT_BYTES, `memory is given back: ${rest} bytes, ${siege.memoryAtStart} at the start`)
  t.equal(siege.child.exitCode, null)
}
