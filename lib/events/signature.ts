import { createHmac } from 'node:crypto'
import { isExampleSecret, secretMistake } from '../access/secrets.ts'

/* Signatures by Standard Webhooks (standardwebhooks.com), version 1 of its symmetric kind. */

/** What a secret begins with whose bytes are told in base64. */
const ENCODED = 'whsec_'
/** The shortest key that signs, in bytes: as many as SHA-256 has. */
const MIN_KEY_BYTES = 32
/** The most secrets of one webhook: one that signs, and those that are on their way in or out. Each costs a hash of every message. */
const MAX_SECRETS = 4

/**
 * The secrets in a text, one per line: messages bear a signature by each, so that a receiver may know the
 * new one before the old one goes.
 */
export function secretsIn (text: string): string[] {
  return text.split(/\r?\n/).map(line => line.trim()).filter(line => line !== '')
}

/** Why the secrets of a webhook are none; undefined where they are good. Never holds any of them. */
export function webhookSecretMistake (text: string): string | undefined {
  const secrets = secretsIn(text)
  if (secrets.length === 0) return 'is empty'
  if (secrets.length > MAX_SECRETS) return `has ${secrets.length} lines, more than ${MAX_SECRETS}`
  return secrets.map(oneMistake).find(mistake => mistake !== undefined)
}

function oneMistake (secret: string): string | undefined {
  if (!secret.startsWith(ENCODED)) return secretMistake(secret)
  const encoded = secret.slice(ENCODED.length)
  const key = keyOf(secret)
  if (key.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) return `is no base64 behind ${ENCODED}`
  if (isExampleSecret(key.toString())) return 'is an example of a documentation, which everybody has'
  return key.length < MIN_KEY_BYTES ? `has ${key.length} bytes, fewer than ${MIN_KEY_BYTES}` : secretMistake(encoded)
}

/** The bytes of a secret: what is behind `whsec_` decoded, any other text as it is. */
export function keyOf (secret: string): Buffer {
  return secret.startsWith(ENCODED) ? Buffer.from(secret.slice(ENCODED.length), 'base64') : Buffer.from(secret)
}

/**
 * The fields of a message: who gets it can tell that it is ours, unchanged, and from when.
 *
 * @param keys in the order of signatures
 * @param seconds since the epoch
 */
export function signedFields (keys: readonly Buffer[], { id, seconds, body }: { readonly id: string, readonly seconds: number, readonly body: string }): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const signatures = keys.map(key => `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') }
}
