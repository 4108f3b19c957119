import { setTimeout as sleep } from 'node:timers/promises'
import { checkAccessLog } from '../lib/access-log.mjs'
import { runLoad } from '../lib/load.mjs'
import { cpuMicroseconds, peakResidentBytes } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { rotated } from '../lib/rounds.mjs'
import { cases, MIB, verifyCase } from './cases.mjs'
import { isNeeded } from './figures.mjs'
import { compiling, starters } from './servers.mjs'

/** A server that ends a run's connections still works for this long. */
const SETTLE_MS = 30

/**
 * All cases over all servers, in interleaved rounds whose order rotates.
 *
 * @returns {Promise<{ logs: boolean, servers: string[], peakMb: (server: string) => number, value: (what: string, name: string, server: string) => number, ratio: (name: string, peer: string, what?: string) => number }>}
 */
export async function measureTable ({ logs, plan, root, files, programs }) {
  const servers = []
  const samples = new Map()
  const peaks = new Map()
  try {
    for (const name of Object.keys(starters).filter(each => !plan.isQuick || cases.some(one => isNeeded(one.name, each)))) {
      servers.push(await starters[name]({ root, logs, programs, readyPath: '/2k.jpg' }))
      servers.at(-1).name = name
    }
    const runs = cases.map(one => Object.assign({ on: servers.filter(({ name }) => !plan.isQuick || isNeeded(one.name, name)) }, one))
    const loads = new Map()
    for (const run of runs) {
      for (const server of run.on) loads.set(`${run.name} ${server.name}`, await verifyCase(run, server, files))
    }
    await warmUp(runs, loads, plan)
    for (let round = 0; round < plan.rounds; round++) {
      for (const [place, run] of runs.entries()) {
        for (const server of rotated(run.on, round + place)) {
          const key = `${run.name} ${server.name}`
          // V8 gives up what it compiled while a server waits for its turn, and takes about as long to make it anew.
          if (plan.leadMs > 0) await runLoad({ ...loads.get(key), ms: plan.leadMs })
          const sample = await measureRun(server, loads.get(key), run.byBytes === true ? plan.longMs : plan.ms, run.byBytes === true)
          samples.set(key, [...samples.get(key) ?? [], sample])
        }
      }
    }
    for (const server of servers) peaks.set(server.name, peakResidentBytes(server.pid) / MIB)
  } finally {
    await Promise.all(servers.map(server => server.stop()))
  }
  if (logs) checkLogs(servers, samples)
  return tableOf(logs, servers, samples, peaks)
}

async function warmUp (runs, loads, plan) {
  for (const [place, run] of runs.entries()) {
    for (const server of run.on) {
      const ms = !compiling.includes(server.name) ? plan.touchMs : place === 0 ? plan.warmMs : plan.warmMs / 3
      await runLoad({ ...loads.get(`${run.name} ${server.name}`), ms })
    }
  }
}

async function measureRun (server, load, ms, byBytes) {
  const before = cpuMicroseconds(server.pid)
  const { requests, bytes, seconds, p99Ms, steady } = await runLoad({ ...load, ms, ...(byBytes ? { steadyOf: server.pid } : {}) })
  await sleep(SETTLE_MS)
  const cpu = cpuMicroseconds(server.pid) - before
  if (bytes < requests * load.length) throw new Error(`${server.name}: Expected ${requests} bodies of ${load.length} bytes but received ${bytes} bytes`)
  const sample = { p99: p99Ms === 0 ? Number.NaN : p99Ms, requests }
  if (!byBytes) return { ...sample, cpu: cpu / requests, rate: requests / seconds }
  const asRequests = steady.bytes / load.length
  return { ...sample, cpu: steady.cpuUs / asRequests, rate: asRequests / steady.seconds }
}

function tableOf (logs, servers, samples, peaks) {
  const valuesOf = (what, name, server) => (samples.get(`${name} ${server}`) ?? []).map(sample => sample[what])
  return {
    logs,
    servers: servers.map(({ name }) => name),
    peakMb: server => peaks.get(server),
    value: (what, name, server) => median(valuesOf(what, name, server)),
    // round by round, so that what disturbs a round disturbs both sides
    ratio: (name, peer, what = 'cpu') => {
      const theirs = valuesOf(what, name, peer)
      return median(valuesOf(what, name, 'ours').slice(0, theirs.length).map((ours, round) => ours / theirs[round]))
    }
  }
}

function checkLogs (servers, samples) {
  for (const server of servers) {
    checkAccessLog(server, [...samples].filter(([key]) => key.endsWith(` ${server.name}`)).flatMap(([, list]) => list).reduce((sum, sample) => sum + sample.requests, 0))
  }
}
