import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from '../lib/load.mjs'
import { startOurs } from '../lib/peers.mjs'
import { peakResidentBytes, residentBytes } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { COPIES, COPY_PATH, MIB } from './cases.mjs'
import { configOf, starters } from './servers.mjs'

/** How long after listening a server is idle. */
const IDLE_AFTER_MS = 500

/**
 * What concerns our process alone: memory before any request; at most, while 64 clients take
 * 64 files of 10 MB, after one half of the time and after all of it; and how soon it is ready.
 *
 * @returns {Promise<{ idleMb: number, halfMb: number, peakMb: number, readyMs: number }>}
 */
export async function measureOurs ({ plan, root }) {
  const server = await startOurs({ config: place => configOf({ root, logs: true, place }) })
  const memory = {}
  try {
    await sleep(IDLE_AFTER_MS)
    memory.idleMb = residentBytes(server.pid) / MIB
    for (const name of ['halfMb', 'peakMb']) {
      await runLoad({ url: `${server.url}${COPY_PATH}`, paths: COPIES, ms: plan.memoryMs / 2 })
      memory[name] = peakResidentBytes(server.pid) / MIB
    }
  } finally {
    await server.stop()
  }
  const ready = []
  for (let start = 0; start < plan.starts; start++) {
    const fresh = await starters.ours({ root, logs: true })
    ready.push(fresh.readyMs)
    await fresh.stop()
  }
  return { ...memory, readyMs: median(ready) }
}
