import { loadavg } from 'node:os'
import { requirePrograms } from './lib/packages.mjs'
import { finish } from './lib/report.mjs'
import { scratchDirectory } from './lib/scratch.mjs'
import { memoryFigures, ratioFigures } from './upload/figures.mjs'
import { measureTable } from './upload/measure.mjs'
import { measureMemory } from './upload/memory.mjs'
import { printFlush, printMemory, printNotes, printTables } from './upload/print.mjs'
import { requireDisk } from './upload/stored.mjs'

/**
 * `npm run bench:upload [-- --quick]`: files that are written to a mount, checked and flushed, beside nginx's dav module,
 * @fastify/multipart and bare node:http in the same run; memory while many are written at once. Quick measures only
 * what a figure needs.
 */

const isQuick = process.argv.includes('--quick')
const plan = isQuick
  ? { isQuick, rounds: 3, large: { lead: 16, count: 32 }, small: { lead: 500, count: 1000 }, atOnce: [1, 32] }
  : { isQuick, rounds: 7, large: { lead: 24, count: 64 }, small: { lead: 1500, count: 3000 }, atOnce: [1, 4, 8, 16, 32] }

const programs = requirePrograms({ nginx: 'nginx' })
requireDisk(scratchDirectory('disk'))
const started = performance.now()
const [loadBefore] = loadavg()

const table = await measureTable({ plan, programs })
printTables(table, plan)
printFlush(table)
const memory = await measureMemory({ plan, programs })
printMemory(memory)
printNotes()
console.log(`\n${isQuick ? 'Quick run' : 'Run'} of ${Math.round((performance.now() - started) / 1000)} s; the machine's load was ${loadBefore.toFixed(1)} before it`)
finish('upload', [...ratioFigures(table), ...memoryFigures(memory)])
