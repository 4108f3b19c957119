import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { makeApiKey } from '../lib/api-keys.mjs'

/** Credentials of one run: keys are new in each, and are in no file but the configuration of its server. */

export const TOKENS = 50
export const KEYS = 20
export const SIGNED_URLS = 200

export const ISSUER = 'https://id.example'
export const AUDIENCE = 'media'

/** What is proven has to hold until the run is over, in seconds. */
const LIFETIME_SECONDS = 3600

export function makeCredentials () {
  const secret = randomBytes(32).toString('base64url')
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const byRsa = input => sign('sha256', Buffer.from(input), privateKey)
  const bySecret = input => createHmac('sha256', secret).update(input).digest()
  return {
    secret,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    tokens: listOf(TOKENS, place => token('HS256', claimsOf(place), bySecret)),
    rsaTokens: listOf(TOKENS, place => token('RS256', claimsOf(place), byRsa)),
    apiKeys: listOf(KEYS, makeApiKey),
    signingKey: { id: '2026-11', secret: randomBytes(32).toString('base64url') },
    /** Each differs, so that nobody may profit from having seen its URL before. */
    expiries: listOf(SIGNED_URLS, place => inSeconds(LIFETIME_SECONDS + place))
  }
}

function claimsOf (place) {
  return { iss: ISSUER, aud: AUDIENCE, sub: `user-${place}`, scope: 'media:read', iat: inSeconds(0), exp: inSeconds(LIFETIME_SECONDS) }
}

/** RFC 7515 §7.1. */
function token (alg, claims, signatureOf) {
  const input = [{ alg, typ: 'JWT' }, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${signatureOf(input).toString('base64url')}`
}

function inSeconds (seconds) {
  return Math.floor(Date.now() / 1000) + seconds
}

function listOf (length, make) {
  return Array.from({ length }, (_, place) => make(place))
}
