import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from '../lib/load.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { get } from './client.mjs'
import { checkAnswer } from './likeness.mjs'
import { startIpx, startMedia } from './makers.mjs'
import { freshPaths } from './pictures.mjs'
import { targets } from './targets.mjs'

const target = targets.find(({ name }) => name === '320 JPEG')
/** A server that ends a run's connections still works for this long. */
const SETTLE_MS = 30
const IPX_REQUESTS = 5

/**
 * A variant that is in memory beside a file of the same bytes, on the same server: CPU in µs
 * a request. And what IPX spends on a request that was made before.
 *
 * @returns {Promise<{ bytes: number, value: (what: string) => number, ratio: (what: string, to: string) => number }>}
 */
export async function measureWarm ({ plan, root }) {
  const ours = await startMedia({ root })
  const ipx = await startIpx({ root })
  try {
    const [path] = await freshPaths(root, 'warm', ['mountain-8mp.jpg'])
    const variant = ours.urlOf(path, target)
    const made = await get(variant)
    await checkAnswer(made, target)
    writeFileSync(join(root, 'same-bytes.jpg'), made.body)
    const loads = await loadsOf({ variant, file: `${ours.url}/same-bytes.jpg`, body: made.body })
    const samples = { ipx: [await repeatedIpx(ipx, path)] }
    for (const [name, load] of Object.entries(loads)) {
      samples[name] = []
      await runLoad({ ...load, ms: plan.warmMs })
    }
    for (let round = 0; round < plan.warmRounds; round++) {
      const names = Object.keys(loads)
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        await runLoad({ ...loads[name], ms: plan.leadMs })
        samples[name].push(await costOf(ours, loads[name], plan.ms))
      }
    }
    return {
      bytes: made.body.length,
      value: what => median(samples[what]),
      ratio: (what, to) => median(samples[what].map((value, round) => value / (samples[to][round] ?? samples[to][0])))
    }
  } finally {
    await Promise.all([ours.stop(), ipx.stop()])
  }
}

/** Four ways to ask, each looked at once: status, and the bytes. */
async function loadsOf ({ variant, file, body }) {
  const loads = {}
  for (const [name, url] of [['variant', variant], ['file', file]]) {
    const whole = await get(url)
    if (whole.status !== 200 || !whole.body.equals(body)) throw new Error(`${url}: Expected the bytes of the variant but received status ${whole.status} and ${whole.body.length} others`)
    if (name === 'variant' && whole.headers['x-cache'] !== 'hit-memory') throw new Error(`${url}: Expected a hit in memory but received ${whole.headers['x-cache']}`)
    const headers = { 'if-none-match': whole.headers.etag }
    const unchanged = await get(url, headers)
    if (unchanged.status !== 304 || unchanged.body.length > 0) throw new Error(`${url}: Expected status 304 without a body but received ${unchanged.status}`)
    loads[name] = { url, length: body.length }
    loads[`${name} 304`] = { url, headers, length: 0 }
  }
  return loads
}

async function costOf (server, load, ms) {
  const before = cpuMicroseconds(server.pid)
  const { requests, bytes } = await runLoad({ ...load, ms })
  await sleep(SETTLE_MS)
  if (bytes < requests * load.length) throw new Error(`${load.url}: Expected ${requests} bodies of ${load.length} bytes but received ${bytes} bytes`)
  return (cpuMicroseconds(server.pid) - before) / requests
}

async function repeatedIpx (ipx, path) {
  await checkAnswer(await get(ipx.urlOf(path, target)), target)
  const before = cpuMicroseconds(ipx.pid)
  for (let request = 0; request < IPX_REQUESTS; request++) await checkAnswer(await get(ipx.urlOf(path, target)), target)
  return (cpuMicroseconds(ipx.pid) - before) / IPX_REQUESTS
}
