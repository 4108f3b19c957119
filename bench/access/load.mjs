import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const CONNECTIONS = 64
/** wrk counts whole seconds; it is interrupted before. */
const FAR_AWAY = '600s'

const script = fileURLToPath(new URL('requests.lua', import.meta.url))

/** Writes requests to where {@link runList} reads them. */
export function writeList (file, url, requests) {
  const messages = requests.map(({ path, headers }) => {
    const fields = Object.entries({ host: new URL(url).host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    return `GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`
  })
  writeFileSync(file, messages.join(''))
}

/**
 * As `runLoad` of the other benches: 64 keep-alive connections on one thread, each asking again as
 * soon as it is answered; but for whole requests of a list, in turn over all connections.
 *
 * @returns {Promise<{ requests: number, bytes: number, seconds: number, p99Ms: number }>}
 * @throws {Error} where a request failed
 */
export async function runList ({ url, list, ms }) {
  const child = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, '-d', FAR_AWAY, '--latency', '-s', script, url, '--', list])
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  try {
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    await Promise.race([sleep(ms), ended])
    child.kill('SIGINT')
    const [output, complaints] = await ended
    return measured(output + complaints, list)
  } finally {
    process.removeListener('exit', endWithUs)
  }
}

function measured (output, list) {
  const line = /^RESULT (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`Expected a result of the load ${list} but received:\n${output}`)
  const { requests, bytes, durationUs, p99Us, errors } = JSON.parse(line)
  const failed = Object.entries(errors).filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`)
  if (failed.length > 0) throw new Error(`Expected every request of ${list} to succeed but received errors: ${failed.join(', ')}`)
  return { requests, bytes, seconds: durationUs / 1e6, p99Ms: p99Us / 1000 }
}
