import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from '../lib/load.mjs'
import { startNode, startOurs } from '../lib/peers.mjs'
import { Stream } from './stream.mjs'

const VIEWERS = 140
const EVERY_MS = 50
const PIECE_BYTES = 4096
/** So long all have had their first bytes, if they get any. */
const SETTLE_MS = 1000

const program = fileURLToPath(new URL('../servers/live-origin.mjs', import.meta.url))

/**
 * 140 viewers of endless streams and 64 clients of files, on one origin: how many viewers get
 * less than half of what is sent to them while files flow, and whether files do.
 *
 * @returns {Promise<{ starved: number, failed: number, filesPerSecond: number, fileP99Ms: number }>}
 */
export async function measureLive ({ plan }) {
  const origin = await startNode({ name: 'live-origin', program, readyPath: '/file', env: () => ({ EVERY_MS: String(EVERY_MS), PIECE_BYTES: String(PIECE_BYTES) }) })
  const server = await startOurs({ config: place => configOf({ origin, place }), readyPath: '/files/file' })
  const viewers = Array.from({ length: VIEWERS }, (_, place) => new Stream(`${server.url}/live/${place}.flv`))
  try {
    for (const viewer of viewers) void viewer.ask().catch(() => {}) // who gets nothing is counted
    await sleep(SETTLE_MS)
    const before = viewers.map(({ bytes }) => bytes)
    const begun = performance.now()
    const load = await runLoad({ url: `${server.url}/files/20k.jpg`, ms: plan.liveMs }).catch(error => { console.log(error.message) })
    const sent = (performance.now() - begun) / EVERY_MS * PIECE_BYTES
    return {
      starved: viewers.filter(({ bytes }, place) => bytes - before[place] < sent / 2).length,
      failed: load === undefined ? 1 : 0,
      filesPerSecond: load === undefined ? 0 : load.requests / load.seconds,
      fileP99Ms: load?.p99Ms ?? Number.NaN
    }
  } finally {
    await Promise.all(viewers.map(async viewer => await viewer.close()))
    await server.stop()
    await origin.stop()
  }
}

function configOf ({ origin, place }) {
  const upstream = { delivery: 'proxy', upstream: 'origin' }
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: false },
    upstreams: { origin: { origins: [{ url: origin.url }] } },
    mounts: [{ ...upstream, prefix: '/live', upstreamPath: '/live', live: true }, { ...upstream, prefix: '/files' }]
  }
}
