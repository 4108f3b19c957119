import { Recent } from '../cache/recent.ts'
import type { Representation, StoredFile } from '../representation.ts'
import { CLOCK_GRAIN_MS } from '../sources/stored-file.ts'
import { reprDigest, type DigestAlgorithm } from './digest.ts'

/** What digests may cost. */
export interface DigestOptions {
  /** Digests that are remembered, in each of two generations. */
  entries: number
  /** Bytes of the largest representation that is read for its digest. Whoever asks for the digest of a large file with its first byte pushes against it. */
  maxBytes: number
  /** How many are read at once for their digest alone; beyond it answers go out without. */
  concurrency: number
}

/** What digests cost where nothing else is said. */
export const digestDefaults: DigestOptions = { entries: 5000, maxBytes: 256 * 1024 * 1024, concurrency: 4 }

/**
 * `Repr-Digest` of representations: worked out once for each, from the bytes in memory where
 * they are there. It is remembered with the representation, or by the revision of the file where it
 * was read for it. Who asks for one that is being worked out waits for it.
 */
export class DigestMemory {
  readonly #options: DigestOptions
  readonly #byRevision: Recent<string, string>
  readonly #byRepresentation = new WeakMap<Representation, Map<DigestAlgorithm, string>>()
  readonly #running = new Map<string, Promise<string>>()
  #reading = 0

  constructor (options: Partial<DigestOptions> = {}) {
    this.#options = { ...digestDefaults, ...options }
    this.#byRevision = new Recent(this.#options.entries)
  }

  /**
   * The field's value, or undefined where it would cost more than it may: the representation's
   * length is not known or too large, or too many are being read.
   *
   * @throws what opening and reading throws, {@link RepresentationChanged} among it
   */
  async of (representation: Representation, algorithm: DigestAlgorithm): Promise<string | undefined> {
    const key = representation.stored === undefined ? undefined : revisionKey(representation.stored, algorithm)
    const known = this.#byRepresentation.get(representation)?.get(algorithm) ?? (key === undefined ? undefined : this.#byRevision.get(key))
    if (known !== undefined) return known
    if (representation.bytes !== undefined) return this.#rememberWith(representation, algorithm, await reprDigest(representation.bytes, algorithm))
    const running = key === undefined ? undefined : this.#running.get(key)
    if (running !== undefined) return await running
    const { size = Infinity } = representation
    if (size > this.#options.maxBytes || this.#reading >= this.#options.concurrency) return undefined
    const digest = this.#read(representation, algorithm)
    if (key !== undefined) this.#running.set(key, digest)
    try {
      return await digest
    } finally {
      if (key !== undefined) this.#running.delete(key)
    }
  }

  async #read (representation: Representation, algorithm: DigestAlgorithm): Promise<string> {
    this.#reading++
    const began = Date.now()
    try {
      const digest = await reprDigest(await representation.open(), algorithm)
      const { stored } = representation
      if (stored === undefined) return this.#rememberWith(representation, algorithm, digest)
      // A file that changed just now may change again and keep its revision.
      if (began - stored.changed >= CLOCK_GRAIN_MS) this.#byRevision.set(revisionKey(stored, algorithm), digest)
      return digest
    } finally {
      this.#reading--
    }
  }

  #rememberWith (representation: Representation, algorithm: DigestAlgorithm, digest: string): string {
    const digests = this.#byRepresentation.get(representation) ?? new Map<DigestAlgorithm, string>()
    this.#byRepresentation.set(representation, digests.set(algorithm, digest))
    return digest
  }
}

function revisionKey ({ path, revision }: StoredFile, algorithm: DigestAlgorithm): string {
  return `${algorithm} ${revision} ${path}`
}
