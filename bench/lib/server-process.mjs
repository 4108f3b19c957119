import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processTree } from './proc.mjs'
import { accepts, request } from './request.mjs'

const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 3000
const POLL_MS = 5

const running = new Set()
process.on('exit', function killLeftovers () {
  for (const child of running) kill(child)
})

/** A port that was free a moment ago. */
export async function freePort () {
  const probe = createServer()
  await new Promise(resolve => { probe.listen(0, '127.0.0.1', resolve) })
  const { port } = probe.address()
  await new Promise(resolve => { probe.close(resolve) })
  return port
}

/**
 * Starts a server and waits for it: until `readyPath` is answered with 200, or without one
 * until it listens, so that it has not seen a request yet.
 *
 * @param {{ name: string, command: string, args: string[], directory: string, port: number, env?: Record<string, string>, readyPath?: string, deadlineMs?: number }} options
 * @returns {Promise<{ name: string, pid: number, port: number, url: string, directory: string, readyMs: number, stop: () => Promise<void> }>}
 */
export async function startServer (options) {
  const { name, command, args, directory, port, env = {}, readyPath } = options
  const output = join(directory, 'output.txt')
  const descriptor = openSync(output, 'w')
  // nothing of the caller's environment, whose options would be measured too
  const environment = { PATH: process.env.PATH ?? '', HOME: directory, ...env }
  const started = performance.now()
  const child = spawn(command, args, { cwd: directory, env: environment, stdio: ['ignore', descriptor, descriptor] })
  closeSync(descriptor)
  running.add(child)
  const ended = new Promise(resolve => { child.once('exit', resolve).once('error', resolve) })
  void ended.then(() => running.delete(child))

  const url = `http://127.0.0.1:${port}`
  while (!await isReady(port, readyPath)) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() - started > START_DEADLINE_MS) {
      kill(child)
      throw new Error(`Expected ${name} to start but received:\n${readFileSync(output, 'utf8').slice(-2000)}`)
    }
    await sleep(POLL_MS)
  }
  const readyMs = performance.now() - started
  return { name, pid: child.pid, port, url, directory, readyMs, stop: async () => await stop(child, ended) }
}

async function isReady (port, readyPath) {
  if (readyPath === undefined) return await accepts(port)
  return await request(`http://127.0.0.1:${port}${readyPath}`).then(({ status }) => status === 200, () => false)
}

/** SIGTERM, so that nginx ends its workers and logs are written out; SIGKILL for the deaf. */
async function stop (child, ended) {
  const members = processTree(child.pid)
  child.kill('SIGTERM')
  await Promise.race([ended, sleep(STOP_DEADLINE_MS, undefined, { ref: false })])
  if (running.has(child)) {
    for (const member of members) killPid(member)
    await ended
  }
}

function kill (child) {
  if (child.pid === undefined) return
  for (const member of processTree(child.pid)) killPid(member)
}

function killPid (pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended by itself
  }
}
