import { setTimeout as sleep } from 'node:timers/promises'
import { peakResidentBytes, residentBytes } from '../lib/proc.mjs'
import { MIB } from './content.mjs'
import { runUploads } from './load.mjs'
import { starters } from './servers.mjs'
import { checkStored, forgetStored } from './stored.mjs'

const SIZE = 100 * MIB
/** How long after its start a server is idle: ours first asks an image worker, which then ends, what the engine can do. */
const IDLE_AFTER_MS = 3000
const LOOK_MS = 20
/** Of each paced client: what a good line to a home sends. */
const PACE = 5 * MIB

/**
 * Memory of a server while clients upload 100 MB each at once, a fresh one each time: as fast as they can,
 * and paced.
 *
 * @returns {Promise<Array<{ server: string, uploads: number, isPaced: boolean, idleMb: number, halfMb: number, peakMb: number, rate: number }>>}
 *   `halfMb`: the most that was seen in the first half of the time; `peakMb`: the most of all
 */
export async function measureMemory ({ plan, programs }) {
  const rows = []
  for (const uploads of plan.atOnce) rows.push(await measureUploads('ours', { uploads, programs }))
  if (plan.isQuick) return rows
  const most = Math.max(...plan.atOnce)
  rows.push(await measureUploads('ours', { uploads: most, isPaced: true, programs }))
  rows.push(await measureUploads('nginx', { uploads: most, programs }))
  return rows
}

async function measureUploads (name, { uploads, isPaced = false, programs }) {
  const server = await starters[name]({ programs })
  try {
    await sleep(IDLE_AFTER_MS)
    const idleMb = residentBytes(server.pid) / MIB
    const memory = watch(server.pid)
    const { url, base, headers } = server
    const { seconds } = await runUploads({ url, base, headers, way: 'put', digest: true, size: SIZE, count: uploads, connections: uploads, names: 'large', ...(isPaced ? { bytesPerSecond: PACE } : {}) })
    const seen = memory.stop()
    checkStored(server, { size: SIZE, count: uploads })
    return {
      server: name,
      uploads,
      isPaced,
      idleMb,
      halfMb: Math.max(...seen.slice(0, Math.ceil(seen.length / 2))) / MIB,
      peakMb: Math.max(peakResidentBytes(server.pid), ...seen) / MIB,
      rate: uploads * SIZE / MIB / seconds
    }
  } finally {
    await server.stop()
    forgetStored(server)
  }
}

function watch (pid) {
  const seen = [residentBytes(pid)]
  const look = setInterval(() => { seen.push(residentBytes(pid)) }, LOOK_MS)
  return {
    stop () {
      clearInterval(look)
      return seen
    }
  }
}
