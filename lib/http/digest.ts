import { createHash } from 'node:crypto'
import { parseDictionary } from './structured-dictionary.ts'

/** Algorithms of digest fields that are worth anything against someone (RFC 9530 §5), with the names of Node and the bytes they give. The first is preferred. */
const algorithms = {
  'sha-256': { name: 'sha256', bytes: 32 },
  'sha-512': { name: 'sha512', bytes: 64 }
} as const

/** An algorithm by its name in digest fields. */
export type DigestAlgorithm = keyof typeof algorithms

/** All of them, the preferred one first. */
export const digestAlgorithms = Object.keys(algorithms) as readonly DigestAlgorithm[]

/**
 * The algorithm that `Want-Repr-Digest` asks for (RFC 9530 §4): of those that are known the one
 * with the largest number from 1 to 10. What is malformed is ignored.
 *
 * @returns undefined where none is wanted
 */
export function wantedDigest (field: string | readonly string[] | undefined): DigestAlgorithm | undefined {
  const members = field === undefined ? undefined : parseDictionary(field)
  let best: DigestAlgorithm | undefined
  let most = 0
  for (const algorithm of digestAlgorithms) {
    const item = members?.get(algorithm)
    if (item?.kind !== 'integer' || item.value <= most || item.value > 10) continue
    best = algorithm
    most = item.value
  }
  return best
}

/** The digests of a `Repr-Digest` or `Content-Digest` field, of algorithms that are known; none where it is malformed. */
export function parseDigests (field: string | readonly string[] | undefined): Map<DigestAlgorithm, Buffer> {
  const members = field === undefined ? undefined : parseDictionary(field)
  const digests = new Map<DigestAlgorithm, Buffer>()
  for (const algorithm of digestAlgorithms) {
    const item = members?.get(algorithm)
    if (item?.kind === 'bytes' && item.value.length === algorithms[algorithm].bytes) digests.set(algorithm, item.value)
  }
  return digests
}

/** A digest as it stands in a field: `sha-256=:…:`. */
export function formatDigest (algorithm: DigestAlgorithm, digest: Uint8Array): string {
  return `${algorithm}=:${Buffer.from(digest).toString('base64')}:`
}

/**
 * The `Repr-Digest` of all the bytes of a representation, in the coding that it is sent in
 * (RFC 9530 §3): the same for the whole, for a part and for HEAD.
 *
 * @throws what the stream fails with
 */
export async function reprDigest (bytes: Uint8Array | AsyncIterable<Uint8Array>, algorithm: DigestAlgorithm): Promise<string> {
  const hash = createHash(algorithms[algorithm].name)
  if (bytes instanceof Uint8Array) hash.update(bytes)
  else for await (const chunk of bytes) hash.update(chunk)
  return formatDigest(algorithm, hash.digest())
}
