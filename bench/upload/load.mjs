import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('client.mjs', import.meta.url))

/**
 * A fixed number of whole files: what is cut off by the end of a run would be work without a result.
 *
 * @typedef {{ url: string, base: string, way: 'put' | 'form' | 'tus', size: number, count: number, connections: number, names: string, digest?: boolean, headers?: Record<string, string>, bytesPerSecond?: number }} Load
 *   `base`: the path below which files go; `names`: what begins the name of each, which a number follows;
 *   `bytesPerSecond`: of each client, who otherwise sends what the connection takes
 * @param {Load} load
 * @returns {Promise<{ uploads: number, seconds: number }>}
 * @throws {Error} where an upload failed
 */
export async function runUploads (load) {
  const child = spawn(process.execPath, [program, JSON.stringify(load)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  try {
    const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    const line = /^RESULT (.*)$/m.exec(output)?.[1]
    if (line === undefined) throw new Error(`Expected every upload to ${load.url}${load.base} by ${load.way} to be kept but received:\n${output}${complaints}`)
    return JSON.parse(line)
  } finally {
    process.removeListener('exit', endWithUs)
  }
}
