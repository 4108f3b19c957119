import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from '../lib/load.mjs'
import { startOurs } from '../lib/peers.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { SLOW } from './files.mjs'
import { startOrigin } from './servers.mjs'
import { Stream } from './stream.mjs'

const MISSES = 500
/** nginx writes a line of its log when the answer is out. */
const LOG_SETTLE_MS = 100

/**
 * A mount with a shared cache beside one over a directory, in one server: what a hit costs beside a
 * file in memory, and how often an origin is asked for what 500 clients want at once.
 *
 * @returns {Promise<{ hitRatio: number, hitUs: number, fileUs: number, asked: number }>}
 */
export async function measureCache ({ plan, root, files, programs }) {
  const origin = await startOrigin({ root, programs, logs: true })
  const server = await startOurs({ config: place => configOf({ root, origin, place }), readyPath: '/health/ready' })
  try {
    const asked = await originRequests(server, origin, files)
    return { ...await hitCost(server, plan), asked }
  } finally {
    await server.stop()
    await origin.stop()
  }
}

function configOf ({ root, origin, place }) {
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: false },
    httpCache: { directory: place.directory },
    upstreams: { origin: { origins: [{ url: origin.url }] } },
    sources: { files: { driver: 'file', root } },
    mounts: [
      { prefix: '/cached', delivery: 'proxy', upstream: 'origin', sharedCache: {} },
      { prefix: '/files', source: 'files' }
    ]
  }
}

/** How often the origin was asked for one slow file. @throws {Error} where a client got anything else */
async function originRequests (server, origin, files) {
  const expected = files['20k.jpg']
  const clients = Array.from({ length: MISSES }, () => {
    const received = []
    return { received, stream: new Stream(`${server.url}/cached/${SLOW}/20k.jpg`, chunk => received.push(Buffer.from(chunk))) }
  })
  await Promise.all(clients.map(({ stream }) => stream.opened))
  await Promise.all(clients.map(async ({ stream }) => {
    await stream.ask()
    await stream.closed
  }))
  const wrong = clients.filter(({ received }) => !expected.equals(Buffer.concat(received))).length
  if (wrong > 0) throw new Error(`Expected ${MISSES} times the file but received ${wrong} times something else`)
  await sleep(LOG_SETTLE_MS)
  return readFileSync(origin.logFile, 'utf8').split('\n').filter(path => path === `/${SLOW}/20k.jpg`).length
}

async function hitCost (server, { cacheRounds, ms, warmMs }) {
  const places = ['cached', 'files']
  const samples = { cached: [], files: [] }
  for (const place of places) await runLoad({ url: `${server.url}/${place}/20k.jpg`, ms: warmMs })
  for (let round = 0; round < cacheRounds; round++) {
    for (const place of round % 2 === 0 ? places : places.toReversed()) {
      const before = cpuMicroseconds(server.pid)
      const { requests } = await runLoad({ url: `${server.url}/${place}/20k.jpg`, ms })
      samples[place].push((cpuMicroseconds(server.pid) - before) / requests)
    }
  }
  return {
    hitUs: median(samples.cached),
    fileUs: median(samples.files),
    hitRatio: median(samples.cached.map((us, round) => us / samples.files[round]))
  }
}
