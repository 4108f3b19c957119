import { loadavg } from 'node:os'
import { burstFigures, coldFigures, crowdFigures, growthFigures, warmFigures } from './images/figures.mjs'
import { measureBurst } from './images/burst.mjs'
import { closeSockets } from './images/client.mjs'
import { measureCold } from './images/cold.mjs'
import { measureCrowd } from './images/crowd.mjs'
import { measureGrowth } from './images/growth.mjs'
import { requirePictures, writePictures } from './images/pictures.mjs'
import { printCold, printRest, printWarm } from './images/print.mjs'
import { measureWarm } from './images/warm.mjs'
import { requirePrograms } from './lib/packages.mjs'
import { finish } from './lib/report.mjs'
import { scratchDirectory } from './lib/scratch.mjs'

/**
 * `npm run bench:images [-- --quick]`: variants from our server, its image workers included,
 * beside IPX, bare sharp and vipsthumbnail in the same run. Quick measures only what a figure
 * needs, and fills the disk cache with fewer variants.
 */

const isQuick = process.argv.includes('--quick')
const plan = isQuick
  ? { isQuick, rounds: 1, warmRounds: 1, crowdRounds: 2, starts: 2, leadMs: 300, warmMs: 600, ms: 500, few: 1000, many: 10_000 }
  : { isQuick, rounds: 3, warmRounds: 4, crowdRounds: 7, starts: 7, leadMs: 700, warmMs: 1500, ms: 800, few: 1000, many: 100_000 }

const programs = requirePrograms({ wrk: 'wrk', vipsthumbnail: 'libvips-tools' })
requirePictures()
const started = performance.now()
const [loadBefore] = loadavg()
const root = scratchDirectory('pictures')
await writePictures(root)

const cold = await measureCold({ plan, root, programs })
printCold(cold, plan)
const warm = await measureWarm({ plan, root })
printWarm(warm)
const crowd = await measureCrowd({ plan, root })
const burst = await measureBurst({ root })
const growth = await measureGrowth({ plan, root })
printRest({ crowd, burst, growth })
closeSockets()
console.log(`\n${isQuick ? 'Quick run' : 'Run'} of ${Math.round((performance.now() - started) / 1000)} s; the machine's load was ${loadBefore.toFixed(1)} before it`)
finish('images', [...coldFigures(cold), ...warmFigures(warm), ...crowdFigures(crowd), ...burstFigures(burst), ...growthFigures(growth)])
