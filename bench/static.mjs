import { requirePrograms } from './lib/packages.mjs'
import { finish } from './lib/report.mjs'
import { scratchDirectory } from './lib/scratch.mjs'
import { writeFiles } from './static/cases.mjs'
import { processFigures, ratioFigures } from './static/figures.mjs'
import { measureTable } from './static/measure.mjs'
import { measureOurs } from './static/own-process.mjs'
import { printOurs, printStatic } from './static/print.mjs'

/**
 * `npm run bench:static [-- --quick]`: files from our mounts, with the whole hook chain on,
 * beside nginx, Caddy, @fastify/static and sirv in the same run. Quick measures only what a
 * figure needs.
 */

const isQuick = process.argv.includes('--quick')
const plan = isQuick
  ? { isQuick, rounds: 1, leadMs: 0, ms: 350, longMs: 750, warmMs: 900, touchMs: 100, memoryMs: 1600, starts: 3 }
  : { isQuick, rounds: 4, leadMs: 700, ms: 800, longMs: 2000, warmMs: 1500, touchMs: 100, memoryMs: 8000, starts: 5 }

const programs = requirePrograms({ nginx: 'nginx', caddy: 'caddy', wrk: 'wrk' })
const started = performance.now()
const root = scratchDirectory('files')
const files = writeFiles(root)

const tables = []
for (const logs of [true, false]) {
  const table = await measureTable({ logs, plan, root, files, programs })
  printStatic(table, plan)
  tables.push(table)
}
const ours = await measureOurs({ plan, root })
printOurs(ours)
console.log(`\n${isQuick ? 'Quick run' : 'Run'} of ${Math.round((performance.now() - started) / 1000)} s`)
finish('static', [...ratioFigures(tables), ...processFigures(ours)])
