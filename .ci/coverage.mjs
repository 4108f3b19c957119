// Fails unless every line of lib/ and plugins/ was run by the tests that tap just ran.
import { execFileSync } from 'node:child_process'

const output = execFileSync('npx', ['--no-install', 'tap', 'report', 'text', '--allow-incomplete-coverage', '--show-full-coverage'], { encoding: 'utf8', env: { ...process.env, FORCE_COLOR: '0' } })
const missed = []
let folder = ''
let files = 0
for (const line of output.split('\n')) {
  const match = /^( *)(\S[^|]*?) *\| *([\d.]+) \| *([\d.]+) \| *([\d.]+) \| *([\d.]+) \| *(.*?) *$/.exec(line)
  if (match === null) continue
  const [, indent, name, , , , lines, uncovered] = match
  if (!name.endsWith('.ts')) {
    if (indent.length > 0) folder = name
    continue
  }
  if (!/^(?:[^/]+\/)?(?:lib|plugins)(?:\/|$)/.test(folder)) continue
  files++
  if (Number(lines) < 100) missed.push(`${folder}/${name}: ${lines} % (${uncovered})`)
}
console.log(output)
console.log(missed.length === 0 ? `${files} files of lib/ and plugins/, every line covered` : `Not covered:\n${missed.join('\n')}`)
process.exitCode = files > 30 && missed.length === 0 ? 0 : 1
