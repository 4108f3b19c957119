import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DiskStore } from '../../dist/lib/cache/disk-store.js'
import { runLoad } from '../lib/load.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { scratchDirectory } from '../lib/scratch.mjs'
import { get, getAll } from './client.mjs'
import { startMedia } from './makers.mjs'
import { freshPaths } from './pictures.mjs'

/** Variants that are asked for, each from disk: memory keeps none. */
const ASKED = 128
const WRITERS = 32
const BODY_BYTES = 2048
const SETTLE_MS = 30
/** How long the cache looks at what was there already (`DiskStore`), beside a request or two. */
const SURVEY_MS = 200

/**
 * The disk cache with few variants and with many: CPU of a hit in µs, and ms from start to ready.
 *
 * @returns {Promise<Array<{ variants: number, hitUs: number, readyMs: number }>>}
 */
export async function measureGrowth ({ plan, root }) {
  const paths = await freshPaths(root, 'growth', Array.from({ length: ASKED }, () => 'cogs.gif'))
  const sizes = [plan.few, plan.many]
  const caches = []
  for (const variants of sizes) {
    const directory = scratchDirectory(`cache-${variants}`)
    await fill(directory, variants - ASKED)
    caches.push({ variants, directory, ready: [], hits: [] })
  }
  for (const cache of caches) await makeAsked(cache, { root, paths })
  for (let round = 0; round < plan.starts; round++) {
    for (const cache of round % 2 === 0 ? caches : caches.toReversed()) {
      const server = await startOver(cache, root)
      cache.ready.push(server.readyMs)
      if (round < plan.warmRounds) cache.hits.push(await hitCost(server, plan))
      await server.stop()
    }
  }
  return caches.map(({ variants, ready, hits }) => ({ variants, hitUs: median(hits), readyMs: median(ready) }))
}

async function startOver ({ directory }, root) {
  return await startMedia({ root, images: { cache: { directory, memoryBytes: 0 } } })
}

/** Variants that nobody asks for. */
async function fill (directory, count) {
  const store = await DiskStore.open({ directory })
  const bytes = randomBytes(BODY_BYTES)
  let next = 0
  await Promise.all(Array.from({ length: WRITERS }, async function write () {
    while (next < count) {
      const number = next++
      await store.put(createHash('sha256').update(`${number}`).digest('base64url'), { type: 'image/webp', tags: [`original:/filler/${number}.jpg`], bytes })
    }
  }))
  await store.close()
}

/** Those that are asked for are made by the server itself. */
async function makeAsked (cache, { root, paths }) {
  const server = await startOver(cache, root)
  const urls = paths.map(path => `${server.url}/${path}?w=48&f=png`)
  await getAll(urls, 4)
  await sleep(SURVEY_MS)
  const again = await get(urls[0])
  if (again.status !== 200 || again.headers['x-cache'] !== 'hit-disk') throw new Error(`${urls[0]}: Expected a hit on disk but received status ${again.status}, ${again.headers['x-cache']}`)
  await server.stop()
}

async function hitCost (server, plan) {
  const load = { url: `${server.url}/growth/%d-cogs.gif?w=48&f=png`, paths: ASKED }
  const first = await get(load.url.replace('%d', '0'))
  if (first.headers['x-cache'] !== 'hit-disk') throw new Error(`${load.url}: Expected a hit on disk but received ${first.headers['x-cache']}`)
  await runLoad({ ...load, ms: plan.warmMs })
  const before = cpuMicroseconds(server.pid)
  const { requests, bytes } = await runLoad({ ...load, ms: plan.ms })
  await sleep(SETTLE_MS)
  if (bytes < requests * first.body.length) throw new Error(`${load.url}: Expected ${requests} bodies of ${first.body.length} bytes but received ${bytes} bytes`)
  return (cpuMicroseconds(server.pid) - before) / requests
}
