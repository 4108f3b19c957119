import type { ContentCoding, Representation } from '../representation.ts'

/** A file a source holds: its bytes as they are, and in the codings it holds beside them. */
export interface FoundFile {
  readonly kind: 'file'
  readonly representation: Representation
  /** The same content, stored compressed. */
  readonly encoded?: Partial<Record<ContentCoding, Representation>> | undefined
  /**
   * Changes whenever the stored bytes may have: what a cache compares. Not a validator for
   * clients: it may differ between machines that hold the same file.
   */
  readonly revision: string
  /** The key by which the store itself knows the file, where a link or another spelling led to it. */
  readonly canonical?: string | undefined
  /**
   * When the bytes were last changed, in milliseconds since the epoch, as the store's own
   * clock knows: within its granularity of now, a revision may still name two contents.
   */
  readonly changed: number
}

/** A directory a source holds. */
export interface FoundDirectory {
  readonly kind: 'directory'
}

export type Found = FoundFile | FoundDirectory
