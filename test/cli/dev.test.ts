import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { refuses, root, signalGroup, start } from './process.ts'

t.setTimeout(120_000)

t.test('npm run dev serves from TypeScript, restarts after an edit, and ends with a signal', async t => {
  const port = await freePort()
  const npm = start(t, 'env', ['-u', 'NODE_OPTIONS', 'npm', 'run', 'dev', '--', await scratch(t, { 'a.txt': 'meow' })], { env: { HOST: '127.0.0.1', PORT: String(port) } })
  await npm.says(/^Serving /m, 40_000)
  t.equal((await ask({ port }, '/a.txt')).text, 'meow')

  const now = new Date()
  await utimes(join(root, 'cli/serve.ts'), now, now)
  await npm.says(/restart[^]*^Serving /mi, 40_000)
  t.equal((await ask({ port }, '/a.txt')).text, 'meow')

  signalGroup(npm.child, 'SIGINT')
  await npm.ended
  await eventually(async () => await refuses({ port }))
})
