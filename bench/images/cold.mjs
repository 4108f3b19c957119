import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { rotated } from '../lib/rounds.mjs'
import { getAll } from './client.mjs'
import { checkAnswer, likenessTo } from './likeness.mjs'
import { runThumbnail, startBare, startIpx, startMedia } from './makers.mjs'
import { freshPaths, photos } from './pictures.mjs'
import { targets } from './targets.mjs'

/** Requests in flight that keep both cores at work, whoever answers. */
const SATURATING = 8
/** What a server still does once it has answered: it keeps the variant. */
const SETTLE_MS = 60

/**
 * Every target by everyone, in interleaved rounds whose order rotates. Each round asks for
 * pictures under names that nobody has heard of.
 *
 * @returns {Promise<{ cpu: (target: string, maker: string) => number, cpuRatio: (target: string, maker: string) => number, speed: Map<string, { ours: number, ipx: number, ratio: number, bytes: number, likeness: { ours: number, ipx: number } }> }>}
 */
export async function measureCold ({ plan, root, programs }) {
  const makers = [await startMedia({ root }), await startBare({ root }), await startIpx({ root })]
  const [ours, bare, ipx] = makers
  const samples = new Map()
  const speed = new Map()
  try {
    await warmUp(makers, root)
    for (let round = 0; round < plan.rounds; round++) {
      for (const target of targets) {
        const costs = costsOf(target, { ours, bare, ipx, program: programs.vipsthumbnail, root, plan })
        for (const [name, cost] of rotated(Object.entries(costs), round)) {
          const paths = await freshPaths(root, `${name}-${round}-${target.name}`.replaceAll(' ', '-'), target.originals)
          const key = `${target.name} ${name}`
          if (!samples.has(key)) samples.set(key, [])
          samples.get(key).push(await cost(paths) / paths.length / 1000)
        }
      }
    }
    const likeness = likenessTo(root, photos)
    for (const target of targets.filter(({ figure }) => figure !== undefined)) {
      speed.set(target.name, await measureSpeed(target, { ours, ipx, root, plan, likeness }))
    }
  } finally {
    await Promise.all(makers.map(maker => maker.stop()))
  }
  const valuesOf = (target, maker) => samples.get(`${target} ${maker}`) ?? []
  return {
    cpu: (target, maker) => median(valuesOf(target, maker)),
    cpuRatio: (target, maker) => median(valuesOf(target, 'ours').map((value, round) => value / valuesOf(target, maker)[round])),
    speed
  }
}

/** Programs compile, and workers start, before anything is measured. */
async function warmUp ([ours, bare, ipx], root) {
  for (const target of targets.filter(({ format }) => format !== 'avif')) {
    const set = async who => await freshPaths(root, `warm-${who}-${target.name}`.replaceAll(' ', '-'), target.originals.slice(0, 4))
    await getAll((await set('ours')).map(path => ours.urlOf(path, target)), 4)
    await bare.make(await set('bare'), target)
    await getAll((await set('ipx')).map(path => ipx.urlOf(path, target)), 4)
  }
}

/** One picture at a time. A quick run leaves out who is in no figure. */
function costsOf (target, { ours, bare, ipx, program, root, plan }) {
  const ask = server => async paths => {
    const before = cpuMicroseconds(server.pid)
    const { answers } = await getAll(paths.map(path => server.urlOf(path, target)), 1)
    await sleep(SETTLE_MS)
    const cost = cpuMicroseconds(server.pid) - before
    for (const answer of answers) await checkAnswer(answer, target)
    return cost
  }
  const needed = { ours: ask(ours), 'bare sharp': async paths => await bare.make(paths, target) }
  if (plan.isQuick) return needed
  return { ...needed, ipx: ask(ipx), vipsthumbnail: async paths => await runThumbnail(paths, target, { program, root }) }
}

/** As many pictures a second as two cores make; and that ours are as good, in how many bytes. */
async function measureSpeed (target, { ours, ipx, root, plan, likeness }) {
  const rates = { ours: [], ipx: [] }
  const last = {}
  for (let round = 0; round < plan.rounds; round++) {
    for (const server of rotated([ours, ipx], round)) {
      const paths = await freshPaths(root, `speed-${server.name}-${round}-${target.name}`.replaceAll(' ', '-'), target.originals)
      const { answers, seconds } = await getAll(paths.map(path => server.urlOf(path, target)), SATURATING)
      for (const answer of answers) await checkAnswer(answer, target)
      rates[server.name].push(answers.length / seconds)
      last[server.name] = answers
    }
  }
  return {
    ours: median(rates.ours),
    ipx: median(rates.ipx),
    ratio: median(rates.ours.map((rate, round) => rate / rates.ipx[round])),
    bytes: bytesOf(last.ours) / bytesOf(last.ipx),
    likeness: { ours: await likeness(last.ours, target), ipx: await likeness(last.ipx, target) }
  }
}

function bytesOf (answers) {
  return answers.reduce((sum, { body }) => sum + body.length, 0)
}
