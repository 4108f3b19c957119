import { hash, randomBytes } from 'node:crypto'

/** A key as `fastify-media key` makes them. It is new in each run, and in no file but the configuration of its server. */
export function makeApiKey () {
  return `fm_${randomBytes(32).toString('base64url')}`
}

/** What the configuration has of a key. */
export function hashOf (apiKey) {
  return `sha256:${hash('sha256', apiKey, 'hex')}`
}
