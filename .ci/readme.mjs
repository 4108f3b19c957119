// Runs the README's two commands as a new user would: in a fresh clone, with nothing installed.
import { spawn, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const parent = mkdtempSync(join(tmpdir(), 'fresh-clone-'))
const clone = join(parent, 'fastify-media')
const commands = [...readFileSync('README.md', 'utf8').matchAll(/^(npm ci && npm \w+)\b/gm)].map(match => match[1])
const started = []

/** Starts a command in a process group of its own, so that all of it can be ended. */
function start (command, environment) {
  const child = spawn('sh', ['-c', command], { cwd: clone, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  const run = { child, output: '', done: new Promise(done => child.on('exit', done)) }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { run.output += chunk })
  started.push(run)
  return run
}

async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(ready => server.once('listening', ready))
  const { port } = server.address()
  await new Promise(closed => server.close(closed))
  return port
}

async function answers (url, run) {
  for (let n = 0; n < 1200; n++) {
    if (run.child.exitCode !== null) throw new Error(`the server ended: ${run.output.slice(-2000)}`)
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) return answer
    await new Promise(later => setTimeout(later, 100))
  }
  throw new Error(`no answer: ${run.output.slice(-2000)}`)
}

async function main () {
  if (commands.join(' ; ') !== 'npm ci && npm start ; npm ci && npm test') throw new Error(`unexpected commands in the README: ${commands.join(' ; ')}`)
  execFileSync('git', ['clone', '-q', resolve('.'), clone])
  if (existsSync('../shared')) symlinkSync(resolve('../shared'), join(parent, 'shared'))

  const port = await freePort()
  const server = start(commands[0], { PORT: String(port) })
  const page = await (await answers(`http://localhost:${port}/`, server)).text()
  if (!page.includes('<html')) throw new Error('no listing')
  const picture = /href="\.\/([^"]+\.png)"/.exec(page)?.[1]
  const answer = await fetch(`http://localhost:${port}/${picture}`)
  if (answer.headers.get('content-type') !== 'image/png') throw new Error(`no picture: ${picture}`)
  process.kill(0 - server.child.pid, 'SIGTERM')
  await server.done
  console.log(`${commands[0]}: listing and ${picture} came`)

  // The whole suite ran before: here it is whether a clone can run it that is asked, by what looks at the checkout and at whole apps.
  const tests = start(`${commands[1]} -- --disable-coverage test/app/*.test.ts test/routes/*.test.ts`, { FORCE_COLOR: '0' })
  if (await tests.done !== 0) {
    const faults = tests.output.split('\n').flatMap((line, place, lines) => /^ *not ok/.test(line) ? lines.slice(place, place + 25) : [])
    throw new Error(`${commands[1]} failed:\n${faults.slice(0, 200).join('\n')}\n${tests.output.slice(-1000)}`)
  }
  console.log(`${commands[1]}: passed`)
}

try {
  await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  for (const { child } of started) {
    try {
      process.kill(0 - child.pid, 'SIGKILL')
    } catch {
      // it has ended
    }
  }
  rmSync(parent, { recursive: true, force: true })
}
