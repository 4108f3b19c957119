import type { Readable } from 'node:stream'
import type { EntityTag } from './http/entity-tag.ts'
import type { ByteRange } from './http/range.ts'

/** A content coding (RFC 9110 §8.4.1) that a stored representation may have. */
export type ContentCoding = 'br' | 'zstd' | 'gzip'

/** A file as it was when it was looked at. */
export interface StoredFile {
  /** Its real path: no component is a link. */
  readonly path: string
  /** As `revisionOf` of `lib/sources/stored-file.ts` gives it. */
  readonly revision: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch of the last change of content or attributes. */
  readonly changed: number
}

/** Bytes in memory, or a stream of them. */
export type Body = Buffer | Readable

/**
 * What *would* be sent: its headers' facts, and how to get the bytes. Nothing is open yet.
 * Immutable: a change of the stored bytes gives another representation.
 */
export interface Representation {
  /** The media type with its parameters, ready for `Content-Type`. */
  readonly type: string
  /** Length in bytes, where it is known before opening. Ranges need it. */
  readonly size?: number | undefined
  /** The entity tag, quoted. */
  readonly entityTag?: EntityTag | undefined
  /** Last modification in milliseconds since the epoch. */
  readonly lastModified?: number | undefined
  /** The coding the bytes are stored in. */
  readonly encoding?: ContentCoding | undefined
  /** Request fields that selected this representation, for `Vary`. */
  readonly vary?: string | undefined
  /** The whole content, where it is in memory already: it is then sent without waiting. */
  readonly bytes?: Buffer | undefined
  /** Where the bytes lie on disk, for who opens them in another process. */
  readonly stored?: StoredFile | undefined
  /** Told by who described it and will not open it: what waited to be opened is let go. */
  readonly release?: (() => void) | undefined
  /** Told by who found, elsewhere than through `open`, that the bytes are no longer these: they are looked at again. */
  readonly outdated?: (() => void) | undefined
  /** How the cache saw it, for the log: `hot`, `load`, `disk` … */
  readonly cacheOutcome?: string | undefined
  /**
   * Opens the bytes, all of them or one range. Called once for each part that is sent, and
   * only after every precondition was decided.
   *
   * @throws {MediaError} `not-found`, `forbidden`, `out-of-descriptors`; the file may have gone since it was described
   */
  open (range?: ByteRange): Promise<Body> | Body
  /**
   * For what is made when it is asked for: the same representation with its size, called after
   * the preconditions were decided. With `make` false it is not made: only what is there already is told.
   *
   * @throws what `open` throws
   */
  readonly complete?: ((options: CompleteOptions) => Promise<Representation>) | undefined
}

/** How a representation is completed. */
export interface CompleteOptions {
  /** Whether bytes are to be sent. */
  readonly make: boolean
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** Headers that describe a body. When another body, or none, is sent after all, they would describe what is not there. */
export const representationHeaders = ['accept-ranges', 'content-disposition', 'content-encoding', 'content-length', 'content-range', 'content-type', 'etag', 'last-modified', 'repr-digest'] as const

/** What `open` throws when the bytes are no longer those that were described: describe again. */
export class RepresentationChanged extends Error {
  override readonly name = 'RepresentationChanged'

  constructor (what: string, cause?: unknown) {
    super(`${what} changed after it was described`, cause === undefined ? undefined : { cause })
  }
}
