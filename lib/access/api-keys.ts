import { hash, timingSafeEqual } from 'node:crypto'
import type { ApiKeyConfig } from '../config/access-schema.ts'
import { list, record, type Loose } from '../config/loose.ts'
import type { Mistake } from '../config/mistakes.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import type { AccessRequest, Strategy, Verdict } from './access.ts'
import { bearerOf } from './bearer.ts'
import { isRepeated } from './field-lines.ts'
import { exampleSecrets } from './secrets.ts'

/** The longest key that is looked at, in bytes: whoever sends longer ones would have them hashed. */
export const MAX_KEY_BYTES = 1024

/** What a configuration keeps of a key: `sha256:` and the hash in hexadecimal. Keys are visible ASCII. */
export function keyHash (key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`
}

/** A key, as it was configured. Nothing a request says changes it. */
interface KnownKey {
  readonly name: string
  readonly digest: Buffer
  /** Undefined where it is for all mounts that name the strategy. */
  readonly mounts: ReadonlySet<string> | undefined
  readonly methods: ReadonlySet<string>
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly revoked: boolean
  readonly granted: Verdict
}

/** What is right for one strategy. */
export interface ApiKeyOptions {
  /** As the configuration has it. */
  readonly name: string
  readonly config: ApiKeyConfig
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const repeated: Verdict = { kind: 'invalid', reason: 'more than one line with a key' }
const malformed: Verdict = { kind: 'invalid', reason: 'malformed bearer token' }
const tooLong: Verdict = { kind: 'invalid', reason: 'key too long' }
const unknown: Verdict = { kind: 'invalid', reason: 'unknown key' }

/**
 * Who knows a secret of which the hash is configured. The secret comes in a field of its own,
 * or in `Authorization: Bearer` (RFC 6750 §2.1); where both are there the field decides, and
 * what the other says does not matter.
 *
 * A key is for the methods it lists and no other: GET does not imply HEAD, and WEBSOCKET has
 * to be listed. OPTIONS alone, which reads nothing, comes with GET.
 *
 * One plain SHA-256 is enough: keys are 256 random bits, which nobody guesses. Of a word that a
 * person made up it would hide little; `fastify-media key` makes none such.
 */
export class ApiKeyStrategy implements Strategy {
  readonly name: string
  readonly challenge: string
  readonly fields: readonly string[]
  readonly credentials: readonly string[]
  readonly #header: string
  readonly #bearer: boolean
  readonly #keys: ReadonlyMap<number, readonly KnownKey[]>
  readonly #now: () => number

  constructor ({ name, config, now = Date.now }: ApiKeyOptions) {
    const { header, bearer, keys } = config
    this.name = name
    this.challenge = bearer ? 'Bearer realm="fastify-media"' : 'ApiKey realm="fastify-media"'
    this.fields = bearer ? [header, 'Authorization'] : [header]
    this.credentials = this.fields.map(field => field.toLowerCase())
    this.#header = header.toLowerCase()
    this.#bearer = bearer
    this.#keys = inBuckets(keys.map(key => knownKey(name, key)))
    this.#now = now
  }

  judge (request: AccessRequest): Verdict {
    const key = request.headers[this.#header]
    if (key === undefined) return this.#judgeBearer(request)
    if (typeof key !== 'string' || isRepeated(request.rawHeaders, this.#header)) return repeated
    return this.#judgeKey(key, request)
  }

  #judgeBearer (request: AccessRequest): Verdict {
    if (!this.#bearer) return { kind: 'absent' }
    const bearer = bearerOf(request)
    if (bearer.kind === 'token') return this.#judgeKey(bearer.token, request)
    return bearer.kind === 'malformed' ? malformed : { kind: 'absent' }
  }

  // As text and back: a buffer of its own would cost more than the hash.
  #judgeKey (presented: string, request: AccessRequest): Verdict {
    if (presented.length > MAX_KEY_BYTES) return tooLong
    const key = this.#find(Buffer.from(hash('sha256', presented, 'base64'), 'base64'))
    if (key === undefined) return unknown
    if (key.revoked) return { kind: 'invalid', reason: `revoked: key ${key.name}` }
    if (!(this.#now() < key.expires)) return { kind: 'invalid', reason: `expired: key ${key.name}` }
    if (key.mounts?.has(withoutTrailingSlash(request.mount)) === false) return { kind: 'forbidden', reason: `key ${key.name} is not for this mount` }
    if (!key.methods.has(request.method)) return { kind: 'forbidden', reason: `key ${key.name} is not for ${request.method}` }
    return key.granted
  }

  /** The time that it takes tells of the first bytes of a hash at most, and these say nothing of a key. */
  #find (digest: Buffer): KnownKey | undefined {
    return this.#keys.get(bucketOf(digest))?.find(key => timingSafeEqual(key.digest, digest))
  }
}

function inBuckets (keys: readonly KnownKey[]): Map<number, KnownKey[]> {
  const buckets = new Map<number, KnownKey[]>()
  for (const key of keys) {
    const bucket = bucketOf(key.digest)
    buckets.set(bucket, [...buckets.get(bucket) ?? [], key])
  }
  return buckets
}

function bucketOf (digest: Buffer): number {
  return digest.readUInt32BE(0)
}

function knownKey (strategy: string, { name, hash: kept, mounts, methods, scopes, expires, revoked }: ApiKeyConfig['keys'][number]): KnownKey {
  return {
    name,
    digest: Buffer.from(kept.slice('sha256:'.length), 'hex'),
    mounts: mounts.length === 0 ? undefined : new Set(mounts.map(withoutTrailingSlash)),
    methods: new Set(methods.includes('GET') ? [...methods, 'OPTIONS'] : methods),
    expires: expires === undefined ? Infinity : Date.parse(expires),
    revoked,
    granted: Object.freeze({ kind: 'granted', principal: Object.freeze({ strategy, name, scopes: Object.freeze([...scopes]) }) })
  }
}

/** Hashes that everybody can look up. */
const publicHashes: ReadonlyMap<unknown, string> = new Map([
  [keyHash(''), 'that of nothing'],
  ...['hello', ...exampleSecrets].map(example => [keyHash(example), 'that of an example of a documentation'] as const)
])

/**
 * What no schema can say of API keys: dates that are none, what two keys have in common, keys that everybody knows.
 *
 * @param config of the strategy, which may be wrong anywhere
 * @returns with paths from the strategy on: `keys[3].hash`
 */
export function apiKeyMistakes (config: Loose): Mistake[] {
  const keys = list(config.keys).map(record)
  const both = config.bearer !== false && typeof config.header === 'string' && config.header.toLowerCase() === 'authorization'
  return [
    ...both ? [{ path: 'header', message: 'Expected another field than Authorization, which `bearer` reads' }] : [],
    ...keys.flatMap((key, place) => keyMistakes(key, keys).map(({ path, message }) => ({ path: `keys[${place}].${path}`, message })))
  ]
}

function keyMistakes (key: Loose, keys: readonly Loose[]): Mistake[] {
  const mistakes: Mistake[] = ['name', 'hash'].flatMap(path => {
    const first = keys.findIndex(other => other[path] === key[path])
    return key[path] === undefined || keys[first] === key ? [] : [{ path, message: `Expected a ${path} of its own but it is that of keys[${first}]` }]
  })
  const known = publicHashes.get(key.hash)
  if (known !== undefined) mistakes.push({ path: 'hash', message: `Expected the hash of a secret but received ${known}: \`fastify-media key\` makes one` })
  if (typeof key.expires === 'string' && !isDate(key.expires)) mistakes.push({ path: 'expires', message: `Expected a date that there is but received ${key.expires}` })
  if (Array.isArray(key.methods) && key.methods.length === 0) mistakes.push({ path: 'methods', message: 'Expected a method: without any the key is for nothing' })
  return mistakes
}

/** JavaScript reads 30 February as 2 March. */
function isDate (text: string): boolean {
  const time = Date.parse(text)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, -1))
}
