import { fileURLToPath } from 'node:url'
import { hashOf, makeApiKey } from '../lib/api-keys.mjs'
import { startNginx, startNode, startOurs } from '../lib/peers.mjs'
import { scratchDirectory } from '../lib/scratch.mjs'

const programOf = name => fileURLToPath(new URL(`../servers/${name}.mjs`, import.meta.url))

/**
 * Every server by the name it has in the tables. Each gets `{ programs }` and keeps its files in a directory of its own,
 * all in one file system, unfinished ones too. All but bare node:http write an access log.
 *
 * @type {Record<string, (parts: { programs: Record<string, string> }) => Promise<UploadServer>>}
 * @typedef {{ name: string, pid: number, url: string, base: string, root: string, headers: Record<string, string>, logFile: string, stop: () => Promise<void> }} UploadServer
 *   `base`: the path below which files are written; `headers`: what lets a client write
 */
export const starters = {
  ours: startMedia,
  nginx: async ({ programs }) => await startDav('nginx', { programs }),
  // fewer, larger writes than by default
  'nginx, 1 MB buffers': async ({ programs }) => await startDav('nginx, 1 MB buffers', { programs, more: 'client_body_buffer_size 1m;' }),
  'node:http': async () => await startProgram('node:http', { program: 'node-put', env: { FLUSH: 'yes' } }),
  'node:http, no fsync': async () => await startProgram('node:http, no fsync', { program: 'node-put', env: { FLUSH: 'no' } }),
  '@fastify/multipart': async () => await startProgram('@fastify/multipart', { program: 'fastify-multipart', readyPath: '/health' })
}

/** A mount with its defaults, which everybody may read, and those write who have a key. */
async function startMedia () {
  const root = scratchDirectory('ours-files')
  const key = makeApiKey()
  const server = await startOurs({
    readyPath: '/health/ready',
    config: ({ directory, logFile }) => ({
      server: { shutdownDelayMs: 0 },
      log: { file: logFile },
      sources: { files: { driver: 'file', root } },
      strategies: { keys: { driver: 'apiKey', keys: [{ name: 'bench', hash: hashOf(key), methods: ['HEAD', 'POST', 'PUT', 'PATCH'] }] } },
      uploads: { directory: `${directory}/uploads` },
      mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { read: 'public', write: ['keys'] } }]
    })
  })
  return { ...server, root, base: '/files', headers: { 'x-api-key': key } }
}

async function startDav (name, { programs, more = '' }) {
  const root = scratchDirectory(`${name}-files`)
  const server = await startNginx({
    name,
    programs,
    http: ({ port, logFile }) => `
  types { application/octet-stream bin; }
  access_log ${logFile};
  client_max_body_size 0;
  ${more}
  server { listen 127.0.0.1:${port}; root ${root}; location / { dav_methods PUT; } }`
  })
  return { ...server, root, base: '', headers: {} }
}

async function startProgram (name, { program, env = {}, readyPath }) {
  const root = scratchDirectory(`${name}-files`)
  const server = await startNode({ name, program: programOf(program), ...(readyPath === undefined ? {} : { readyPath }), env: ({ logFile }) => ({ ROOT: root, LOG_FILE: logFile, ...env }) })
  return { ...server, root, base: '', headers: {} }
}
