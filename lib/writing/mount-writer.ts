import type { Principal } from '../access/access.ts'
import type { Key } from '../paths/request-path.ts'
import type { FoundFile } from '../sources/source.ts'
import type { Condition, Incoming } from '../sources/writing.ts'
import type { DigestCheck } from './digest-check.ts'

/** Bytes that are to become a file. */
export interface NewFile {
  readonly body: Incoming
  /** Bytes, where the client tells: it is held to that. */
  readonly size?: number | undefined
  /** What the client says that it is: `Content-Type`. */
  readonly declaredType?: string | undefined
  /** What it has to hash to. */
  readonly digests?: DigestCheck | undefined
  /** On what it is written. */
  readonly condition?: Condition | undefined
  /** Who writes. */
  readonly principal: Principal | null
  /** Whether a place among the uploads is held for it already. Default false. */
  readonly hasPlace?: boolean | undefined
}

/** A file that was written. */
export interface StoredFile {
  readonly key: Key
  /** Below the root of the app, decoded: `/photos/cat.jpg`. */
  readonly path: string
  readonly found: FoundFile
  /** Whether nothing had this key before. */
  readonly isNew: boolean
  /** Whether it is, byte for byte, what came: else no validator is told (RFC 9110 §9.3.4). */
  readonly isAsSent: boolean
}

/** Files of one mount: written, removed and moved within its rules, told of, and forgotten where they were kept. */
export interface MountWriter {
  /**
   * Writes a file under the key that the client chose. Its name is normalised: `StoredFile.key` may differ.
   *
   * @throws {MediaError} `bad-name`, `bad-digest`, `body-too-large`, `unsupported-media-type`, `broken-image`, `image-too-large`,
   *   `quota-exceeded`, `insufficient-storage`, `request-timeout`, `conflict`, `unavailable`, and what the condition throws
   */
  put (key: Key, file: NewFile): Promise<StoredFile>
  /**
   * Writes a file into a directory under a name by the rules of the mount.
   *
   * @param name what the client calls it; undefined where it does not
   * @throws {MediaError} as `put`; `conflict` where a file of this name is there and may not be replaced
   */
  add (directory: Key, name: string | undefined, file: NewFile): Promise<StoredFile>
  /** @throws {MediaError} `not-found`, `conflict`, and what the condition throws */
  remove (key: Key, options: { readonly condition?: Condition | undefined, readonly principal: Principal | null }): Promise<void>
  /** @throws {MediaError} `not-found`, `bad-name`, `unsupported-media-type`, `conflict`, and what the conditions throw */
  move (from: Key, to: Key, options: { readonly from?: Condition | undefined, readonly to?: Condition | undefined, readonly principal: Principal | null }): Promise<StoredFile>
}
