import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openLogOutput } from '../../lib/log-output.ts'
import { scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'

t.test('lines are handed on together: when there are many, after a while, and at the end', async t => {
  const file = join(await scratch(t), 'logs', 'a.log')
  const output = await openLogOutput(file, error => t.fail(error.message))
  const text = async (): Promise<string> => await readFile(file, 'utf8')
  output.write('one\n')
  t.equal(await text(), '')
  t.ok(await eventually(async () => await text() === 'one\n'), 'after a second')
  output.write(`${'x'.repeat(70_000)}\n`)
  t.ok(await eventually(async () => (await text()).length === 70_005), 'at once, being many')
  output.handOn()
  output.write('last\n')
  await output.end()
  t.match(await text(), /\nlast\n$/)
})

t.test('a disk that is full is told once, survived, and does not hold up the end', async t => {
  const faults: string[] = []
  const output = await openLogOutput('/dev/full', error => faults.push((error as NodeJS.ErrnoException).code ?? ''))
  for (let n = 0; n < 3; n++) {
    output.write(`${'x'.repeat(70_000)}\n`)
    await eventually(() => faults.length > 0)
  }
  await output.end()
  t.same(faults, ['ENOSPC'])
})

t.test('a file that cannot be opened is an error', async t => {
  const directory = await scratch(t)
  await t.rejects(openLogOutput(directory, () => {}), { code: 'EISDIR' })
})
