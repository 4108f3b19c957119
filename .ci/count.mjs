// Counts the assertions in TAP output: "total passed skipped", nested ones included, subtests' own lines not.
import { readFileSync } from 'node:fs'

const lines = readFileSync(process.argv[2], 'utf8').split('\n')
let total = 0
let passed = 0
let skipped = 0
for (const line of lines) {
  const match = /^(\s*)(not )?ok \d+(.*)$/.exec(line)
  if (match === null) continue
  const isSubtest = / # time=[\d.]+m?s(?: \{)?$/.test(match[3])
  if (/# SKIP/i.test(match[3])) skipped++
  if (isSubtest && match[2] === undefined) continue
  total++
  if (match[2] === undefined) passed++
}
console.log(total, passed, skipped)
