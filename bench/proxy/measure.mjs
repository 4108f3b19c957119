import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from '../lib/load.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { request } from '../lib/request.mjs'
import { rotated } from '../lib/rounds.mjs'
import { MIB } from './files.mjs'
import { isNeeded } from './figures.mjs'
import { compiling, missing, starters } from './servers.mjs'

/** A server that ends a run's connections still works for this long. */
const SETTLE_MS = 30
/** So many small requests V8 needs to make its last code; on a busy machine they take several times the usual. */
const WARM_REQUESTS = 20_000
const WARM_RUNS = 4

/** `byBytes`: requests are so long that those which the end of a run cuts weigh, so bytes amid the run are counted. */
const cases = [
  { name: '20k', file: '20k.jpg' },
  { name: '10m', file: '10m.bin', byBytes: true }
]

/**
 * Both files over all proxies, in interleaved rounds whose order rotates. CPU is in µs per request
 * of the small file, and in ms per MB of the large one.
 *
 * @returns {Promise<{ servers: string[], value: (what: string, name: string, server: string) => number, ratio: (name: string, peer: string, what?: string) => number }>}
 */
export async function measureTable ({ plan, origin, files, programs }) {
  const servers = []
  const samples = new Map()
  try {
    for (const name of Object.keys(starters).filter(each => isMeasured(each, plan))) {
      servers.push(await starters[name]({ origin, programs }))
      servers.at(-1).name = name
    }
    const runs = cases.map(one => ({ ...one, on: servers.filter(({ name }) => !plan.isQuick || isNeeded(one.name, name)) }))
    await warmUp(runs, files, plan)
    for (let round = 0; round < plan.rounds; round++) {
      for (const [place, run] of runs.entries()) {
        for (const server of rotated(run.on, round + place)) {
          const key = `${run.name} ${server.name}`
          // V8 gives up what it compiled while a server waits for its turn, and takes about as long to make it anew.
          await runLoad({ url: `${server.url}/${run.file}`, ms: run.byBytes === true ? plan.longLeadMs : plan.leadMs })
          samples.set(key, [...samples.get(key) ?? [], await (run.byBytes === true ? measureBytes : measureRequests)(server, run, plan)])
        }
      }
    }
  } finally {
    await Promise.all(servers.map(server => server.stop()))
  }
  return tableOf(servers, samples)
}

function isMeasured (name, plan) {
  const reason = missing(name)
  if (reason !== undefined) console.log(`Without ${name}: ${reason}`)
  return reason === undefined && (!plan.isQuick || cases.some(one => isNeeded(one.name, name)))
}

async function warmUp (runs, files, plan) {
  for (const { file, byBytes, on } of runs) {
    for (const server of on) {
      await verify(server, file, files[file])
      const load = { url: `${server.url}/${file}`, ms: compiling.includes(server.name) ? plan.warmMs : plan.touchMs }
      let { requests } = await runLoad(load)
      if (byBytes === true || !compiling.includes(server.name)) continue
      for (let run = 1; run < WARM_RUNS && requests < WARM_REQUESTS; run++) requests += (await runLoad(load)).requests
    }
  }
}

/** @throws {Error} where status, length or a byte is wrong, or our hooks are off */
async function verify ({ name, url }, file, bytes) {
  const { status, headers, body } = await request(`${url}/${file}`)
  if (status !== 200 || headers['content-length'] !== String(bytes.length) || !bytes.equals(body)) throw new Error(`${name}: Expected ${file} as it is but received ${status} with ${body.length} bytes`)
  if (name === 'ours' && headers['x-content-type-options'] === undefined) throw new Error('ours: Expected the hooks of a mount to be on but received no X-Content-Type-Options')
}

async function measureRequests (server, { file }, { ms }) {
  const before = cpuMicroseconds(server.pid)
  const { requests, seconds, p99Ms } = await runLoad({ url: `${server.url}/${file}`, ms })
  await sleep(SETTLE_MS)
  return { cpu: (cpuMicroseconds(server.pid) - before) / requests, rate: requests / seconds, p99: p99Ms }
}

async function measureBytes (server, { file }, { longMs }) {
  const { steady } = await runLoad({ url: `${server.url}/${file}`, ms: longMs, steadyOf: server.pid })
  const mb = steady.bytes / MIB
  return { cpu: steady.cpuUs / 1000 / mb, rate: mb / steady.seconds }
}

function tableOf (servers, samples) {
  const valuesOf = (what, name, server) => (samples.get(`${name} ${server}`) ?? []).map(sample => sample[what])
  return {
    servers: servers.map(({ name }) => name),
    value: (what, name, server) => median(valuesOf(what, name, server)),
    // round by round, so that what disturbs a round disturbs both sides
    ratio: (name, peer, what = 'cpu') => {
      const theirs = valuesOf(what, name, peer)
      return median(valuesOf(what, name, 'ours').slice(0, theirs.length).map((ours, round) => ours / theirs[round]))
    }
  }
}
