import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkAccessLog } from '../lib/access-log.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { rotated } from '../lib/rounds.mjs'
import { scratchDirectory } from '../lib/scratch.mjs'
import { makeCredentials } from './credentials.mjs'
import { runList, writeList } from './load.mjs'
import { FILE_BYTES, requestsOf, starters, variants } from './variants.mjs'
import { verifyVariant } from './verify.mjs'

/** A server that ends a run's connections still works for this long. */
const SETTLE_MS = 30

/**
 * All variants in interleaved rounds, one server after the other: nothing is compared across
 * servers, and whichever came first after another server would pay for its wait.
 *
 * @returns {Promise<{ logs: boolean, runs: object[], value: (what: string, name: string) => number, above: (run: object) => number, ratio: (run: object) => number }>}
 */
export async function measureTable ({ logs, plan, root, bytes }) {
  const credentials = makeCredentials()
  const lists = scratchDirectory('lists')
  const servers = {}
  const samples = new Map()
  const runs = variants.filter(({ needed }) => !plan.isQuick || needed)
  try {
    for (const name of new Set(runs.map(({ server }) => server))) servers[name] = await starters[name]({ root, logs, credentials })
    const loads = new Map()
    for (const [place, run] of runs.entries()) {
      const { url, pid } = servers[run.server]
      const requests = requestsOf(run, credentials)
      await verifyVariant(run, { url, requests, bytes })
      const list = join(lists, `${place}.txt`)
      writeList(list, url, requests)
      loads.set(run.name, { url, pid, list })
    }
    for (const name of Object.keys(servers)) {
      const own = runs.filter(({ server }) => server === name)
      for (const run of own) await runList({ ...loads.get(run.name), ms: plan.warmMs })
      for (let round = 0; round < plan.rounds; round++) {
        for (const run of inTurn(own, round)) samples.set(run.name, [...samples.get(run.name) ?? [], await measureRun(run, loads.get(run.name), plan)])
      }
    }
  } finally {
    await Promise.all(Object.values(servers).map(server => server.stop()))
  }
  if (logs) checkLogs(servers, runs, samples)
  return tableOf(logs, runs, samples)
}

/** With a lead-in, because V8 gives up what it compiled while a variant waits for its turn. */
async function measureRun ({ name }, { url, pid, list }, plan) {
  await runList({ url, list, ms: plan.leadMs })
  const before = cpuMicroseconds(pid)
  const { requests, bytes, seconds, p99Ms } = await runList({ url, list, ms: plan.ms })
  await sleep(SETTLE_MS)
  const cpu = (cpuMicroseconds(pid) - before) / requests
  if (bytes < requests * FILE_BYTES) throw new Error(`${name}: Expected ${requests} bodies of ${FILE_BYTES} bytes but received ${bytes} bytes`)
  return { cpu, requests, rate: requests / seconds, p99: p99Ms === 0 ? Number.NaN : p99Ms }
}

function tableOf (logs, runs, samples) {
  const valuesOf = (what, name) => samples.get(name).map(sample => sample[what])
  // round by round, so that what disturbs a round disturbs both sides
  const beside = ({ name, base }, compare) => median(valuesOf('cpu', name).map((cpu, round) => compare(cpu, valuesOf('cpu', base)[round])))
  return {
    logs,
    runs,
    value: (what, name) => median(valuesOf(what, name)),
    above: run => beside(run, (own, base) => own - base),
    ratio: run => beside(run, (own, base) => own / base)
  }
}

function checkLogs (servers, runs, samples) {
  for (const [name, { logFile }] of Object.entries(servers)) {
    checkAccessLog({ name, logFile }, runs.filter(({ server }) => server === name).flatMap(run => samples.get(run.name)).reduce((sum, sample) => sum + sample.requests, 0))
  }
}

/** From another start in each round, and every other backwards, so that none always follows the same. */
function inTurn (list, round) {
  const turned = rotated(list, round)
  return round % 2 === 0 ? turned : turned.toReversed()
}
