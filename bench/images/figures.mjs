import { targets } from './targets.mjs'

/** What must be reached. Every limit is the most that is allowed, so a speed stands as IPX's part of ours. */

/** SSIM is told, and compared, to the fourth place. */
const SAME_LIKENESS = 1.0001

export function coldFigures (cold) {
  return [
    ...targets.map(({ name }) => ({ name: `cold CPU ours/bare sharp, ${name}`, limit: 1.1, measured: cold.cpuRatio(name, 'bare sharp') })),
    ...targets.filter(({ figure }) => figure !== undefined).flatMap(({ name, figure }) => {
      const { ratio, bytes, likeness } = cold.speed.get(name)
      return [
        { name: `throughput ipx/ours, ${name}`, limit: Math.round(1000 / figure) / 1000, measured: 1 / ratio },
        { name: `bytes ours/ipx, ${name}`, limit: 1.1, measured: bytes },
        { name: `SSIM ipx/ours, ${name}`, limit: SAME_LIKENESS, measured: likeness.ipx / likeness.ours }
      ]
    })
  ]
}

export function warmFigures (warm) {
  return [
    { name: 'CPU of a hit, variant/file', limit: 1.3, measured: warm.ratio('variant', 'file') },
    { name: 'CPU of a 304, variant/file', limit: 1.3, measured: warm.ratio('variant 304', 'file 304') },
    { name: 'CPU of a hit, 20 ours/ipx', limit: 1, measured: 20 * warm.ratio('variant', 'ipx') }
  ]
}

export function crowdFigures (crowd) {
  return [{ name: 'CPU of one variant, 100 clients/1', limit: 1.5, measured: crowd.ratio }]
}

export function burstFigures (burst) {
  return [
    { name: 'RSS MB, 64 cold 12 MP at once', limit: 450, measured: burst.peakMb },
    { name: 'slowest of 64/its fair share', limit: 1.5, measured: burst.slowestShare },
    { name: 'p99 ms of a file meanwhile', limit: 20, measured: burst.staticP99Ms }
  ]
}

export function growthFigures ([few, many]) {
  const sizes = `${many.variants}/${few.variants} variants on disk`
  return [
    { name: `CPU of a hit, ${sizes}`, limit: 1.3, measured: many.hitUs / few.hitUs },
    { name: `ms to ready, ${sizes}`, limit: 2, measured: many.readyMs / few.readyMs }
  ]
}
