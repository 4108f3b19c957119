import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { scratch, type Test } from './app.ts'
import { accepts, eventually, freePort } from './process.ts'

const program = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find(existsSync)

/** Why tests with a real Redis cannot run here; undefined where they can. */
export const noRedis = program === undefined ? 'redis-server is not installed (Debian package redis-server)' : undefined

/** A Redis for the length of a test. It keeps nothing when it is stopped. */
export interface TestRedis {
  readonly url: string
  readonly process: ChildProcess
  /** Ends it without a word. */
  kill (): Promise<void>
  /** Starts it again, empty, on the same port. */
  restart (): Promise<void>
}

/** Starts a real Redis on a free loopback port, in a directory of its own, without persistence. */
export async function testRedis (t: Test): Promise<TestRedis> {
  const directory = await scratch(t)
  const port = await freePort()
  let server = await started(directory, port)
  t.teardown(async () => await ended(server))
  return {
    url: `redis://127.0.0.1:${port}`,
    get process () { return server },
    kill: async () => await ended(server),
    restart: async () => { server = await started(directory, port) }
  }
}

async function started (directory: string, port: number): Promise<ChildProcess> {
  const server = spawn(program ?? '', ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', '--daemonize', 'no'], { stdio: 'ignore' })
  await eventually(async () => await accepts(port))
  return server
}

async function ended (server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = new Promise(resolve => server.once('exit', resolve))
  server.kill('SIGKILL')
  await exited
}
