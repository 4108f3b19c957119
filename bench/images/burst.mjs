import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { residentBytes } from '../lib/proc.mjs'
import { get, getAll } from './client.mjs'
import { checkAnswer } from './likeness.mjs'
import { startMedia } from './makers.mjs'
import { freshPaths, twelveMegapixels } from './pictures.mjs'

const REQUESTS = 64
const LOOK_MS = 25
const SMALLEST_WIDTH = 640
const WIDTH_STEP = 10
/** Looks at the file before anything else is asked for. */
const IDLE_MS = 300

const probe = fileURLToPath(new URL('static-probe.mjs', import.meta.url))

/**
 * 64 different cold variants of 12-megapixel photos at once, while a small file is asked for
 * again and again. A request's fair share: by then, as much is done as all cores can do, which
 * one at a time takes so long.
 *
 * @returns {Promise<{ peakMb: number, slowestShare: number, seconds: number, fairSeconds: number, staticP99Ms: number, staticMostMs: number }>}
 */
export async function measureBurst ({ root }) {
  const server = await startMedia({ root })
  try {
    const singleMs = await singles(server, root)
    const fairMs = Array.from({ length: REQUESTS }, (_, place) => singleMs[place % singleMs.length]).reduce((sum, ms) => sum + ms, 0) / availableParallelism()
    const file = `${server.url}/originals/cogs.gif`
    await get(file)
    const watch = startProbe(file)
    await watch.ready
    await new Promise(resolve => { setTimeout(resolve, IDLE_MS) })
    const urls = await urlsOfAll(server, root)
    const memory = watchMemory(server.pid)
    const { answers, seconds } = await getAll(urls, REQUESTS)
    const peakMb = memory.stop() / 1024 / 1024
    const latencies = (await watch.stop()).toSorted((a, b) => a - b)
    for (const [place, answer] of answers.entries()) await checkAnswer(answer, { format: 'webp', width: widthOf(place) })
    return {
      peakMb,
      seconds,
      fairSeconds: fairMs / 1000,
      slowestShare: Math.max(...answers.map(({ ms }) => ms)) / fairMs,
      staticP99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
      staticMostMs: latencies.at(-1) ?? Number.NaN
    }
  } finally {
    await server.stop()
  }
}

/** What one variant of each photo takes alone, in milliseconds, once the workers run. */
async function singles (server, root) {
  const urlsOf = async set => (await freshPaths(root, set, twelveMegapixels)).map(path => `${server.url}/${path}?w=${widthOf(REQUESTS / 2)}&f=webp`)
  await getAll(await urlsOf('burst-warm'), availableParallelism())
  const { answers } = await getAll([...await urlsOf('burst-alone-1'), ...await urlsOf('burst-alone-2')], 1)
  const half = answers.length / 2
  return answers.slice(0, half).map(({ ms }, place) => (ms + answers[place + half].ms) / 2)
}

async function urlsOfAll (server, root) {
  const names = Array.from({ length: REQUESTS }, (_, place) => twelveMegapixels[place % twelveMegapixels.length])
  return (await freshPaths(root, 'burst', names)).map((path, place) => `${server.url}/${path}?w=${widthOf(place)}&f=webp`)
}

function widthOf (place) {
  return SMALLEST_WIDTH + place * WIDTH_STEP
}

/** The most that the server and its workers have in memory together. */
function watchMemory (pid) {
  let most = residentBytes(pid)
  const look = setInterval(() => { most = Math.max(most, residentBytes(pid)) }, LOOK_MS)
  return {
    stop () {
      clearInterval(look)
      return most
    }
  }
}

function startProbe (url) {
  const child = spawn(process.execPath, [probe, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  const ended = once(child, 'close')
  return {
    ready: once(child.stdout, 'data'),
    async stop () {
      child.kill('SIGTERM')
      await ended
      process.removeListener('exit', endWithUs)
      return JSON.parse(output.trimEnd().split('\n').at(-1))
    }
  }
}
