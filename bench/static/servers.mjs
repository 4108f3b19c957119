import { fileURLToPath } from 'node:url'
import { startCaddy, startNginx, startNode, startOurs } from '../lib/peers.mjs'

const programOf = name => fileURLToPath(new URL(`../servers/${name}.mjs`, import.meta.url))

/** Every peer by the name it has in the tables. Each gets `{ root, logs, programs, readyPath }`. */
export const starters = {
  ours: async ({ root, logs }) => await startOurs({ config: place => configOf({ root, logs, place }), readyPath: '/health/ready' }),
  nginx: async ({ root, logs, programs, readyPath }) => await startNginx({
    name: 'nginx',
    programs,
    readyPath,
    http: ({ port, logFile }) => `
  types { image/jpeg jpg; application/octet-stream bin; }
  sendfile on;
  open_file_cache off;
  access_log ${logs ? logFile : 'off'};
  server { listen 127.0.0.1:${port}; root ${root}; }`
  }),
  // without roll_disabled Caddy compresses each 100 MB of its log meanwhile, which the others leave to logrotate
  caddy: async ({ root, logs, programs, readyPath }) => await startCaddy({
    name: 'caddy',
    programs,
    readyPath,
    site: ({ logFile }) => `
  root * ${root}
  file_server
  ${logs ? `log {\n    output file ${logFile} {\n      roll_disabled\n    }\n  }` : ''}`
  }),
  '@fastify/static': async ({ root, logs, readyPath }) => await startProgram('fastify-static', { root, logs, readyPath }),
  sirv: async ({ root, logs, readyPath }) => await startProgram('sirv', { root, logs, readyPath })
}

/** Names of the servers that compile while they run. */
export const compiling = ['ours', '@fastify/static', 'sirv']

/** One mount with every hook that a production mount has. */
export function configOf ({ root, logs, place }) {
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: logs },
    sources: { files: { driver: 'file', root } },
    mounts: [{
      prefix: '/',
      source: 'files',
      cors: { origins: ['https://a.example', 'https://*.b.example'] },
      cache: { default: '1h', types: { 'image/*': '30d immutable' } }
    }]
  }
}

async function startProgram (name, { root, logs, readyPath }) {
  return await startNode({
    name,
    program: programOf(name),
    readyPath,
    env: ({ logFile }) => ({ ROOT: root, ...(logs ? { LOG_FILE: logFile } : {}) })
  })
}
