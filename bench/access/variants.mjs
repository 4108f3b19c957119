import { fileURLToPath } from 'node:url'
import { sign } from '../../dist/lib/url/index.js'
import { hashOf } from '../lib/api-keys.mjs'
import { startNode, startOurs } from '../lib/peers.mjs'
import { AUDIENCE, ISSUER } from './credentials.mjs'

/** The file that is asked for: random bytes under a type that nobody compresses. */
export const FILE = '20k.jpg'
export const FILE_BYTES = 20 * 1024

/** A limit that no run reaches. */
const NEVER_REACHED = { max: 1_000_000_000, windowMs: 60_000 }

/**
 * What is measured, on which server, and beside what. `proves`: without credentials it is 401.
 * `needed`: a figure rests on it. The limits are in µs above its base and as a ratio to it.
 */
export const variants = [
  { name: 'public', server: 'ours', needed: true },
  { name: 'JWT, HS256', server: 'ours', base: 'public', needed: true, proves: true, limits: { us: 15, ratio: 1.9 } },
  { name: 'JWT, RS256', server: 'ours', base: 'public', proves: true },
  { name: 'API key', server: 'ours', base: 'public', needed: true, proves: true, limits: { us: 3, ratio: 1.2 } },
  { name: 'signed URL', server: 'ours', base: 'public', needed: true, proves: true, limits: { us: 12, ratio: 1.7 } },
  { name: 'rate limit', server: 'ours', base: 'public', needed: true, limits: { ratio: 1.15 } },
  { name: 'public, sent a token', server: 'ours', base: 'public' },
  { name: 'public, sent a key', server: 'ours', base: 'public' },
  { name: 'plain Fastify', server: 'fastify' },
  { name: '@fastify/jwt, HS256', server: 'fastify', base: 'plain Fastify', proves: true },
  { name: '@fastify/rate-limit', server: 'fastify', base: 'plain Fastify' }
]

/** @returns the requests of a variant, which its load goes round: `{ path, headers }` */
export function requestsOf ({ name }, { tokens, rsaTokens, apiKeys, signingKey, expiries }) {
  const keys = path => apiKeys.map(key => ({ path, headers: { 'x-api-key': key } }))
  const signatures = path => expiries.map(expires => ({ path: sign(path, signingKey, { expires }), headers: {} }))
  switch (name) {
    case 'JWT, HS256': return bearers(`/jwt/${FILE}`, tokens)
    case 'JWT, RS256': return bearers(`/jwt-rs/${FILE}`, rsaTokens)
    case 'API key': return keys(`/key/${FILE}`)
    case 'signed URL': return signatures(`/signed/${FILE}`)
    case 'rate limit': return [{ path: `/limited/${FILE}`, headers: {} }]
    case 'public, sent a token': return bearers(`/public/${FILE}`, tokens)
    case 'public, sent a key': return keys(`/public/${FILE}`)
    case '@fastify/jwt, HS256': return bearers('/jwt', tokens)
    case '@fastify/rate-limit': return [{ path: '/limited', headers: {} }]
    case 'plain Fastify': return [{ path: '/plain', headers: {} }]
    default: return [{ path: `/public/${FILE}`, headers: {} }]
  }
}

function bearers (path, tokens) {
  return tokens.map(token => ({ path, headers: { authorization: `Bearer ${token}` } }))
}

/** Both servers by name. Each gets `{ root, logs, credentials }`. */
export const starters = {
  ours: async ({ root, logs, credentials }) => await startOurs({ config: place => configOf({ root, logs, place, credentials }), readyPath: '/health/ready' }),
  fastify: async ({ root, logs, credentials: { secret } }) => await startNode({
    name: 'fastify',
    program: fileURLToPath(new URL('fastify-peer.mjs', import.meta.url)),
    readyPath: '/plain',
    env: ({ logFile }) => ({ FILE: `${root}/${FILE}`, SECRET: secret, ISSUER, AUDIENCE, ...(logs ? { LOG_FILE: logFile } : {}) })
  })
}

/** Mounts of one source with every hook that a production mount has, which differ by who may read them. */
function configOf ({ root, logs, place, credentials: { secret, publicKey, apiKeys, signingKey } }) {
  const token = { driver: 'jwt', issuers: [ISSUER], audiences: [AUDIENCE] }
  const mount = {
    source: 'files',
    cors: { origins: ['https://a.example', 'https://*.b.example'] },
    cache: { default: '1h', types: { 'image/*': '30d immutable' } }
  }
  return {
    server: { shutdownDelayMs: 0 },
    log: { file: place.logFile, requests: logs },
    sources: { files: { driver: 'file', root } },
    strategies: {
      tokens: { ...token, algorithms: ['HS256'], key: secret },
      rsaTokens: { ...token, algorithms: ['RS256'], key: publicKey },
      apiKeys: { driver: 'apiKey', keys: apiKeys.map((key, index) => ({ name: `key-${index}`, hash: hashOf(key) })) },
      links: { driver: 'signed', keys: [signingKey] }
    },
    mounts: [
      { prefix: '/public', ...mount },
      { prefix: '/jwt', ...mount, access: { read: ['tokens'] } },
      { prefix: '/jwt-rs', ...mount, access: { read: ['rsaTokens'] } },
      { prefix: '/key', ...mount, access: { read: ['apiKeys'] } },
      { prefix: '/signed', ...mount, access: { read: ['links'] } },
      { prefix: '/limited', ...mount, rateLimit: { addresses: NEVER_REACHED } }
    ]
  }
}
