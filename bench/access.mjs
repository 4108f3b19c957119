import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figuresOf } from './access/figures.mjs'
import { measureTable } from './access/measure.mjs'
import { printAccess, printNotes } from './access/print.mjs'
import { FILE, FILE_BYTES } from './access/variants.mjs'
import { requirePrograms } from './lib/packages.mjs'
import { finish } from './lib/report.mjs'
import { scratchDirectory } from './lib/scratch.mjs'

/**
 * `npm run bench:access [-- --quick]`: what it costs to know who asks for a hot file of 20 KB,
 * beside the same file for everybody, in one process and one run. Quick measures only what a
 * figure needs, and less often.
 */

const isQuick = process.argv.includes('--quick')
const plan = isQuick
  ? { isQuick, rounds: 3, leadMs: 300, ms: 400, warmMs: 1200 }
  : { isQuick, rounds: 7, leadMs: 700, ms: 800, warmMs: 2000 }

requirePrograms({ wrk: 'wrk' })
const started = performance.now()
const root = scratchDirectory('files')
const bytes = randomBytes(FILE_BYTES)
writeFileSync(join(root, FILE), bytes)

const tables = []
for (const logs of [true, false]) {
  const table = await measureTable({ logs, plan, root, bytes })
  printAccess(table, plan)
  tables.push(table)
}
printNotes()
console.log(`\n${isQuick ? 'Quick run' : 'Run'} of ${Math.round((performance.now() - started) / 1000)} s`)
finish('access', figuresOf(tables))
