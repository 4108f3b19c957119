import { createHash, type Hash } from 'node:crypto'
import { MediaError } from '../errors.ts'
import type { DigestCheck } from '../writing/digest-check.ts'
import { digestAlgorithms, parseDigests, type DigestAlgorithm } from './digest.ts'
import { parseDictionary } from './structured-dictionary.ts'

/** The fields that tell what the body of a request hashes to. */
export interface DigestFields {
  readonly 'content-digest'?: string | readonly string[] | undefined
  readonly 'repr-digest'?: string | readonly string[] | undefined
}

/** What a field promises. */
interface Promised {
  readonly algorithm: DigestAlgorithm
  readonly digest: Buffer
}

/**
 * What `Content-Digest` and `Repr-Digest` of a request promise of its body (RFC 9530 §§2, 3): for one
 * that brings the whole representation they mean the same bytes. Every SHA-256 and SHA-512 has to hold;
 * algorithms that prove nothing against anyone, and such as are not known, are ignored (§5). Trailers
 * are not read.
 *
 * @returns undefined where nothing is promised that is checked
 * @throws {MediaError} `bad-request` for a malformed field; `bad-digest` for a digest of the wrong length
 */
export function contentDigest (fields: DigestFields): DigestCheck | undefined {
  const promised = (['content-digest', 'repr-digest'] as const).flatMap(name => promisedBy(name, fields[name]))
  return promised.length === 0 ? undefined : new Check(promised)
}

function promisedBy (name: string, field: string | readonly string[] | undefined): Promised[] {
  if (field === undefined) return []
  const members = parseDictionary(field)
  if (members === undefined) throw new MediaError('bad-request', { detail: `${name} is no dictionary of digests (RFC 9530)` })
  const digests = parseDigests(field)
  return digestAlgorithms.filter(algorithm => members.has(algorithm)).map(algorithm => {
    if (members.get(algorithm)?.kind !== 'bytes') throw new MediaError('bad-request', { detail: `${name} has no bytes for ${algorithm}` })
    const digest = digests.get(algorithm)
    if (digest === undefined) throw new MediaError('bad-digest', { detail: `${name} has a ${algorithm} of the wrong length` })
    return { algorithm, digest }
  })
}

/** Hashes once for each algorithm. */
class Check implements DigestCheck {
  readonly #promised: readonly Promised[]
  readonly #hashes: ReadonlyMap<DigestAlgorithm, Hash>
  sha256: string | undefined

  constructor (promised: readonly Promised[]) {
    this.#promised = promised
    this.#hashes = new Map(promised.map(({ algorithm }) => [algorithm, createHash(algorithm.replace('-', ''))]))
  }

  update (chunk: Buffer): void {
    for (const hash of this.#hashes.values()) hash.update(chunk)
  }

  verify (): void {
    const found = new Map([...this.#hashes].map(([algorithm, hash]) => [algorithm, hash.digest()]))
    // Whoever sends the body sends the digest: nothing is learned from how long this takes.
    const wrong = this.#promised.find(({ algorithm, digest }) => found.get(algorithm)?.equals(digest) !== true)
    if (wrong !== undefined) throw new MediaError('bad-digest', { detail: `The content has another ${wrong.algorithm}` })
    this.sha256 = found.get('sha-256')?.toString('hex')
  }
}
