import { setTimeout as sleep } from 'node:timers/promises'
import { checkAccessLog } from '../lib/access-log.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { rotated } from '../lib/rounds.mjs'
import { casesOf, isLarge, loadOf } from './cases.mjs'
import { MIB } from './content.mjs'
import { runUploads } from './load.mjs'
import { starters } from './servers.mjs'
import { checkStored, forgetStored } from './stored.mjs'
import { verifyCase, verifyRefusals } from './verify.mjs'

/** A server that ends a run's connections still works for this long. */
const SETTLE_MS = 30
/** The one that has no access log. */
const LOGLESS = /^node:http/

/**
 * All cases over their servers, in interleaved rounds whose order rotates. Files of a sample have names that nobody
 * had before, and are gone before the next. CPU is in ms per MB of large files, and in µs per small one; what the
 * kernel writes back later, on nobody's account, is in neither.
 *
 * @returns {Promise<{ cases: object[], servers: string[], value: (what: string, name: string, server: string) => number, ratio: (name: string, peer: string, what?: string) => number }>}
 */
export async function measureTable ({ plan, programs }) {
  const cases = casesOf(plan)
  const servers = new Map()
  const samples = new Map()
  try {
    for (const name of Object.keys(starters).filter(each => cases.some(({ on }) => on.includes(each)))) servers.set(name, { ...await starters[name]({ programs }), name })
    await verifyRefusals(servers.get('ours'))
    for (const one of cases) for (const name of one.on) await verifyCase(one, servers.get(name))
    for (let round = 0; round < plan.rounds; round++) {
      for (const [place, one] of cases.entries()) {
        for (const name of rotated(one.on, round + place)) {
          const key = `${one.name} ${name}`
          samples.set(key, [...samples.get(key) ?? [], await measureCase(one, servers.get(name))])
        }
      }
    }
  } finally {
    await Promise.all([...servers.values()].map(server => server.stop()))
  }
  for (const server of servers.values()) {
    if (!LOGLESS.test(server.name)) checkAccessLog(server, [...samples].filter(([key]) => key.endsWith(` ${server.name}`)).flatMap(([, list]) => list).reduce((sum, { uploads }) => sum + uploads, 0))
  }
  return tableOf(cases, [...servers.keys()], samples)
}

/** With a lead-in, because V8 gives up what it compiled while a server waits for its turn. */
async function measureCase (one, server) {
  const load = loadOf(one, server)
  await runUploads({ ...load, names: 'lead', count: one.lead })
  forgetStored(server)
  const before = cpuMicroseconds(server.pid)
  const { uploads, seconds } = await runUploads({ ...load, names: 'file', count: one.count })
  await sleep(SETTLE_MS)
  const cpu = (cpuMicroseconds(server.pid) - before) / uploads
  checkStored(server, { size: one.size, count: uploads })
  forgetStored(server)
  const mb = one.size / MIB
  return isLarge(one) ? { uploads, cpu: cpu / 1000 / mb, rate: mb * uploads / seconds } : { uploads, cpu, rate: uploads / seconds }
}

function tableOf (cases, servers, samples) {
  const valuesOf = (what, name, server) => (samples.get(`${name} ${server}`) ?? []).map(sample => sample[what])
  return {
    cases,
    servers,
    value: (what, name, server) => median(valuesOf(what, name, server)),
    // round by round, so that what disturbs a round disturbs both sides
    ratio: (name, peer, what = 'cpu') => {
      const theirs = valuesOf(what, name, peer)
      return median(valuesOf(what, name, 'ours').slice(0, theirs.length).map((ours, round) => ours / theirs[round]))
    }
  }
}
