import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { getAll } from './client.mjs'
import { checkAnswer } from './likeness.mjs'
import { startMedia } from './makers.mjs'
import { freshPaths } from './pictures.mjs'
import { targets } from './targets.mjs'

const CLIENTS = 100
const target = targets.find(({ name }) => name === '800 WebP')
const SETTLE_MS = 60

/**
 * One cold variant asked for by one client, and by 100 at once.
 *
 * @returns {Promise<{ oneMs: number, crowdMs: number, ratio: number }>} CPU of the server and its workers
 */
export async function measureCrowd ({ plan, root }) {
  const server = await startMedia({ root })
  const costs = { one: [], crowd: [] }
  try {
    // workers and sockets are there before
    await costOf(server, await freshPaths(root, 'crowd-warm', ['mountain-8mp.jpg', 'sunset-12mp.jpg']), CLIENTS / 2)
    for (let round = 0; round < plan.crowdRounds; round++) {
      costs.one.push(await costOf(server, await freshPaths(root, `one-${round}`, ['sunset-12mp.jpg']), 1))
      costs.crowd.push(await costOf(server, await freshPaths(root, `crowd-${round}`, ['sunset-12mp.jpg']), CLIENTS))
    }
  } finally {
    await server.stop()
  }
  return {
    oneMs: median(costs.one) / 1000,
    crowdMs: median(costs.crowd) / 1000,
    ratio: median(costs.crowd.map((cost, round) => cost / costs.one[round]))
  }
}

async function costOf (server, paths, clients) {
  const before = cpuMicroseconds(server.pid)
  const urls = paths.flatMap(path => Array.from({ length: clients }, () => server.urlOf(path, target)))
  const { answers } = await getAll(urls, urls.length)
  await sleep(SETTLE_MS)
  const cost = cpuMicroseconds(server.pid) - before
  await checkAnswer(answers[0], target)
  for (const { status, body } of answers.slice(0, clients)) {
    if (status !== 200 || !body.equals(answers[0].body)) throw new Error(`${urls[0]}: Expected the same variant for each client but received status ${status} and ${body.length} bytes`)
  }
  return cost
}
