import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesRead, cpuMicroseconds } from './proc.mjs'

const CONNECTIONS = 64
/** wrk counts whole seconds; it is interrupted before. */
const FAR_AWAY = '600s'
const REQUEST_TIMEOUT = '20s'
/** A load whose interruption is not heeded within this time is an error. */
const STOP_DEADLINE_MS = 5000
/** How long a run takes to become steady. */
const LEAD_MS = 150

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))
const headLoad = fileURLToPath(new URL('head-load.mjs', import.meta.url))

/**
 * 64 keep-alive connections on one thread, each asking again as soon as it is answered.
 * wrk waits for the body that the answer to a HEAD announces and never has, so a small
 * program of ours takes its place for HEAD.
 *
 * @param {{ url: string, ms: number, method?: string, headers?: Record<string, string>, paths?: number, steadyOf?: number }} load
 *   `paths`: the URL's `%d` goes round from 0 to below it.
 *   `steadyOf`: the process whose CPU is read inside the run
 * @returns {Promise<{ requests: number, bytes: number, seconds: number, p99Ms: number, steady?: Steady }>}
 * @throws {Error} where a request failed
 */
export async function runLoad (load) {
  const { url, ms, method, steadyOf } = load
  const child = startLoad(load)
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  child.stderr.on('data', chunk => { output += chunk })
  const ended = new Promise((resolve, reject) => { child.once('close', resolve).once('error', reject) })
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  try {
    // ours says that it is there; wrk is at once
    if (method === 'HEAD') await Promise.race([once(child.stdout, 'data'), ended])
    const steady = await Promise.race([steadyOf === undefined ? sleep(ms) : watchSteady(child.pid, steadyOf, ms), ended.then(() => undefined)])
    child.kill('SIGINT')
    const deadline = setTimeout(endWithUs, STOP_DEADLINE_MS)
    await ended
    clearTimeout(deadline)
    return { ...measured(output, url), ...(steady === undefined ? {} : { steady }) }
  } finally {
    process.removeListener('exit', endWithUs)
  }
}

function startLoad ({ url, method = 'GET', headers = {}, paths = 0 }) {
  if (method === 'HEAD') return spawn(process.execPath, [headLoad, url, String(CONNECTIONS)])
  return spawn('wrk', [
    '-t1', `-c${CONNECTIONS}`, '-d', FAR_AWAY, '--timeout', REQUEST_TIMEOUT, '--latency', '-s', script,
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    url.replace('%d', '0'), '--', paths > 0 ? pathOf(url) : '', String(paths)
  ])
}

function pathOf (url) {
  const { pathname, search } = new URL(url)
  return pathname + search
}

/**
 * The middle of a run, without its ends: bytes that were sent and never read fill 64 pairs of
 * socket buffers, which in a short run of long answers is a good part of all that was sent.
 *
 * @typedef {{ cpuUs: number, bytes: number, seconds: number }} Steady
 * @returns {Promise<Steady>}
 */
async function watchSteady (clientPid, serverPid, ms) {
  const lookNow = () => ({ cpuUs: cpuMicroseconds(serverPid), bytes: bytesRead(clientPid), seconds: performance.now() / 1000 })
  await sleep(LEAD_MS)
  const before = lookNow()
  await sleep(ms - LEAD_MS)
  const after = lookNow()
  return { cpuUs: after.cpuUs - before.cpuUs, bytes: after.bytes - before.bytes, seconds: after.seconds - before.seconds }
}

function measured (output, url) {
  const line = /^RESULT (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`Expected a result of the load on ${url} but received:\n${output}`)
  const { requests, bytes, durationUs, p99Us, errors } = JSON.parse(line)
  const failed = Object.entries(errors).filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`)
  if (failed.length > 0) throw new Error(`Expected every request to ${url} to succeed but received errors: ${failed.join(', ')}`)
  if (bytes === 0) throw new Error(`Expected answers from ${url} but received nothing`)
  return { requests, bytes, seconds: durationUs / 1e6, p99Ms: p99Us / 1000 }
}
