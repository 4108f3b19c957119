import { spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from '../helpers/app.ts'
import { freePort } from '../helpers/process.ts'

/** The checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The command line program, as it was built. */
export const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** How a process ended. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A process of ours. */
export interface Running {
  child: ChildProcess
  stdout: () => string
  stderr: () => string
  ended: Promise<Ended>
  /** Resolves once the standard output and error together match. */
  says: (pattern: RegExp, deadlineMs?: number) => Promise<string>
}

/** Where and with which variables a process starts. */
export interface StartOptions {
  cwd?: string
  env?: Record<string, string | undefined>
}

/** Variables of this process that would decide what is tested. */
const unset = { HOST: undefined, PORT: undefined, PUBLIC_URL: undefined, TRUSTED_PROXIES: undefined, LOG_LEVEL: undefined, LOG_FILE: undefined, LOG_REQUESTS: undefined, SERVER_TIMING: undefined, MEDIA_ROOT: undefined }

/** Starts a program in a process group of its own, which ends with the test. */
export function start (t: Test, command: string, args: string[], { cwd = root, env = {} }: StartOptions = {}): Running {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...unset, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => { texts.stdout += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { texts.stderr += chunk.toString() })
  let over = false
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      over = true
      resolve({ code, signal })
    })
  })
  t.teardown(() => { signalGroup(child, 'SIGKILL') })

  async function says (pattern: RegExp, deadlineMs = 20_000): Promise<string> {
    const deadline = Date.now() + deadlineMs
    while (Date.now() < deadline) {
      const found = pattern.exec(texts.stdout + texts.stderr)
      if (found !== null) return found[1] ?? found[0]
      if (over) break
      await sleep(20)
    }
    throw new Error(`Expected ${pattern} but received:\n${texts.stdout}${texts.stderr}`)
  }
  return { child, stdout: () => texts.stdout, stderr: () => texts.stderr, ended, says }
}

/** Signals a process and every process it started, as a terminal does. */
export function signalGroup ({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // it has ended
  }
}

/** Runs the command line program to its end. */
export async function run (t: Test, args: string[], options: StartOptions = {}): Promise<Ended & { stdout: string, stderr: string }> {
  const running = start(t, process.execPath, [cli, ...args], options)
  const ended = await running.ended
  return { ...ended, stdout: running.stdout(), stderr: running.stderr() }
}

/** Runs what a command does in this process: its end would be this code. A fault it throws is thrown. */
export async function runHere (command: () => Promise<void>): Promise<{ code: number, stdout: string, stderr: string }> {
  const texts = { stdout: '', stderr: '' }
  const { log, error } = console
  const { exitCode } = process
  process.exitCode = 0
  Object.assign(console, { log: (text: string) => { texts.stdout += `${text}\n` }, error: (text: string) => { texts.stderr += `${text}\n` } })
  try {
    await command()
    return { code: process.exitCode, ...texts }
  } finally {
    Object.assign(console, { log, error })
    process.exitCode = exitCode
  }
}

/** The command line program, serving on a free loopback port. */
export async function serving (t: Test, args: string[], options: StartOptions & { node?: string[] } = {}): Promise<Running & { port: number, url: string }> {
  const port = await freePort()
  const running = start(t, process.execPath, [...options.node ?? [], cli, 'serve', ...args], { ...options, env: { HOST: '127.0.0.1', PORT: String(port), ...options.env } })
  await running.says(/^Serving /m)
  return { ...running, port, url: `http://127.0.0.1:${port}` }
}

export async function sleep (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}

/** Whether nobody listens on a port any more. */
export async function refuses ({ port }: { port: number }): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}

/** The log lines in a text, parsed: every line must be one. */
export function logLines (text: string): Array<Record<string, unknown>> {
  return text.split('\n').filter(Boolean).map(line => JSON.parse(line) as Record<string, unknown>)
}

/** Waits for the end of a process, and fails where it runs on. */
export async function endsWithin (running: Running, ms: number): Promise<{ code: number | null, ms: number }> {
  const started = Date.now()
  const ended = await Promise.race([running.ended, sleep(ms)])
  if (ended === undefined) throw new Error(`It runs on after ${ms} ms:\n${running.stdout()}${running.stderr()}`)
  return { code: ended.code, ms: Date.now() - started }
}
