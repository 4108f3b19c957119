import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { startCaddy, startNginx, startNode, startOurs } from '../lib/peers.mjs'
import { SLOW, SLOW_RATE } from './files.mjs'

const programOf = name => fileURLToPath(new URL(`../servers/${name}.mjs`, import.meta.url))

/** The first thing that everyone is asked for. */
const READY_PATH = '/20k.jpg'

/** The server behind all of them. Its log tells what it was asked. */
export async function startOrigin ({ root, programs, logs = false }) {
  return await startNginx({
    name: 'origin',
    programs,
    readyPath: READY_PATH,
    http: ({ port, logFile }) => `
  types { image/jpeg jpg; application/octet-stream bin; }
  sendfile on;
  open_file_cache max=100;
  log_format paths '$uri';
  access_log ${logs ? `${logFile} paths` : 'off'};
  server {
    listen 127.0.0.1:${port};
    root ${root};
    add_header cache-control "public, max-age=3600";
    location /${SLOW}/ { limit_rate ${SLOW_RATE}; }
  }`
  })
}

/** Every proxy by the name it has in the tables. Each gets `{ origin, programs }`. No access logs. */
export const starters = {
  ours: async ({ origin }) => await startOurs({ config: place => configOf({ origin, place }), readyPath: READY_PATH }),
  '@fastify/http-proxy': async ({ origin }) => await startProgram('fastify-http-proxy', { origin }),
  'node-http-proxy': async ({ origin }) => await startProgram('node-http-proxy', { origin }),
  nginx: async ({ origin, programs }) => await startNginx({
    name: 'nginx',
    programs,
    readyPath: READY_PATH,
    http: ({ port }) => `
  access_log off;
  upstream origin { server 127.0.0.1:${origin.port}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`
  }),
  caddy: async ({ origin, programs }) => await startCaddy({ name: 'caddy', programs, readyPath: READY_PATH, site: () => `reverse_proxy 127.0.0.1:${origin.port}` })
}

/** Names of the servers that compile while they run. */
export const compiling = ['ours', '@fastify/http-proxy', 'node-http-proxy']

/** Why a peer cannot run; undefined where it can. */
export function missing (name) {
  if (name !== 'node-http-proxy') return undefined
  try {
    createRequire(import.meta.url).resolve('http-proxy')
    return undefined
  } catch {
    return 'the package http-proxy is not installed'
  }
}

/** One proxy mount with every hook that a production mount has. */
export function configOf ({ origin, place }) {
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: false },
    upstreams: { origin: { origins: [{ url: origin.url }] } },
    mounts: [{ prefix: '/', delivery: 'proxy', upstream: 'origin', cors: { origins: ['https://a.example', 'https://*.b.example'] } }]
  }
}

async function startProgram (program, { origin }) {
  return await startNode({ name: program, program: programOf(program), readyPath: READY_PATH, env: () => ({ ORIGIN: origin.url }) })
}
