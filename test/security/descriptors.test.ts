// Files that were asked for once must not use up the descriptors that others need.
import { spawn } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'

t.test('with few descriptors many large files are served one after another', async t => {
  const names = Array.from({ length: 120 }, (_, n) => `f${n}.bin`)
  const root = await scratch(t, Object.fromEntries(names.map(name => [name, Buffer.alloc(300_000, name)])))
  await chmod(root, 0o755)
  // Kept as long as the test takes on any machine: only who needs descriptors closes one.
  const config = join(await scratch(t, { 'config.json': JSON.stringify({ sources: { files: { driver: 'file', root } }, mounts: [{ source: 'files' }], largeFiles: { descriptorIdleMs: 600_000 } }) }), 'config.json')
  const server = spawn('sh', ['-c', `ulimit -n 96; exec "${process.execPath}" dist/cli/main.js serve --config "${config}"`], { env: { ...process.env, PORT: '0', HOST: '127.0.0.1' } })
  const ended = new Promise(resolve => server.once('exit', resolve))
  t.teardown(() => server.kill('SIGKILL'))
  let output = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString() })
  const port = (): number => Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1])
  t.ok(await eventually(() => port() > 0, 10_000), output)
  const statuses = new Set<number>()
  for (const name of names) statuses.add((await ask({ port: port() }, `/${name}`)).status)
  t.same([...statuses], [200])
  server.kill('SIGINT')
  await ended
})
