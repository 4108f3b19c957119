import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { workerEnv } from '../../dist/lib/image/workers/worker-options.js'
import { startNode, startOurs } from '../lib/peers.mjs'
import { cpuMicroseconds } from '../lib/proc.mjs'
import { scratchDirectory } from '../lib/scratch.mjs'

/** Who makes pictures, each behind the same few functions. */

const programOf = name => fileURLToPath(new URL(`${name}.mjs`, import.meta.url))

/** One mount that makes whatever is asked for, with the hooks and the access log of a production mount. */
export function configOf ({ root, place, images = {} }) {
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: true },
    sources: { files: { driver: 'file', root } },
    images: { ...images, cache: { directory: join(place.directory, 'variants'), ...images.cache } },
    mounts: [{ prefix: '/', source: 'files', cors: { origins: ['https://a.example'] }, cache: { default: '1h', types: { 'image/*': '30d immutable' } }, images: { mode: 'open' } }]
  }
}

/** Our server, its workers and a cache directory of its own. */
export async function startMedia ({ root, images }) {
  const server = await startOurs({ config: place => configOf({ root, place, images }), readyPath: '/health/ready' })
  return { ...server, name: 'ours', urlOf: (path, target) => `${server.url}/${path}?${target.ours}` }
}

/** IPX's own server, with its own defaults. */
export async function startIpx ({ root }) {
  const server = await startNode({ name: 'ipx', program: fileURLToPath(new URL('../servers/ipx.mjs', import.meta.url)), env: () => ({ ROOT: root }) })
  return { ...server, name: 'ipx', urlOf: (path, target) => `${server.url}/${target.ipx}/${path}` }
}

/**
 * Bare sharp in a loop, in a process with the environment of our workers.
 *
 * @returns {Promise<{ name: string, pid: number, make: (paths: string[], target: object) => Promise<number>, stop: () => Promise<void> }>}
 *   `make`: the CPU that it took, in microseconds
 */
export async function startBare ({ root }) {
  const child = spawn(process.execPath, [programOf('bare-program'), root], { env: { PATH: process.env.PATH, ...workerEnv }, stdio: ['pipe', 'pipe', 'inherit'] })
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'exit')
  return {
    name: 'bare sharp',
    pid: child.pid,
    async make (paths, { format, bare, animated = false }) {
      const before = cpuMicroseconds(child.pid)
      child.stdin.write(`${JSON.stringify({ paths, format, bare, animated })}\n`)
      const { value: line } = await lines.next()
      if (line === undefined) throw new Error('bare sharp: Expected pictures but the process ended')
      return cpuMicroseconds(child.pid) - before
    },
    async stop () {
      child.stdin.end()
      await ended
      process.removeListener('exit', endWithUs)
    }
  }
}

/**
 * vipsthumbnail, started once for all pictures of a target, as it is meant to be used.
 *
 * @returns {Promise<number>} the CPU that it took, in microseconds; NaN for what it cannot do
 */
export async function runThumbnail (paths, { vips }, { program, root }) {
  if (vips === undefined) return Number.NaN
  const directory = scratchDirectory('thumbnails')
  const args = [...paths.map(path => join(root, path)), '--size', vips.size, ...vips.more, '--vips-concurrency=1', '--output', `${directory}/%s${vips.output}`]
  // only a shell tells what its children took, to the millisecond
  const child = spawn('bash', ['-c', '"$@" || exit; times', 'bash', program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  child.stderr.on('data', chunk => { output += chunk })
  const [code] = await once(child, 'close')
  const times = output.trimEnd().split('\n').at(-1)?.match(/(\d+)m([\d.]+)s (\d+)m([\d.]+)s/)
  if (code !== 0 || times === null || times === undefined) throw new Error(`vipsthumbnail: Expected pictures but received:\n${output}`)
  const [userMinutes, user, systemMinutes, system] = times.slice(1).map(Number)
  return ((userMinutes + systemMinutes) * 60 + user + system) * 1e6
}
