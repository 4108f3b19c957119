import type { Principal } from '../access/access.ts'
import type { EventType } from '../events/event-types.ts'
import type { Key } from '../paths/request-path.ts'
import type { FoundFile } from '../sources/source.ts'

/* What the writer of a mount is put together from. */

/** Room that was set aside for one file before it is there. */
export interface Reservation {
  /**
   * More bytes came than were set aside: takes room for so many altogether.
   *
   * @throws {MediaError} `quota-exceeded`
   */
  grow (bytes: number): Promise<void>
  /** The file is there, and takes so many bytes; what it replaced is no longer counted. `key`: where that was not known before. Never throws. */
  settle (bytes: number, key?: Key): Promise<void>
  /** It did not come to be. Never throws; does nothing after `settle`. */
  release (): Promise<void>
}

/** How much may be kept, and how much is. */
export interface Quotas {
  /**
   * Sets room aside for a file of a mount.
   *
   * @param bytes its size, or what of it is known
   * @throws {MediaError} `quota-exceeded`; `unavailable` where it cannot be counted
   */
  reserve (file: { readonly mount: string, readonly key: Key | undefined, readonly bytes: number, readonly principal: string }): Promise<Reservation>
  /** A file is gone. Never throws. */
  removed (mount: string, key: Key): Promise<void>
  /** A file has another key; it stays whose it was. Never throws. */
  moved (mount: string, from: Key, to: Key): Promise<void>
}

/** What happened to a file. Plain data. */
export interface FileEvent {
  /** A UUID: the same event may come twice, by this it is told. */
  readonly id: string
  readonly type: EventType
  /** RFC 3339, UTC. */
  readonly time: string
  /** The prefix of the mount. */
  readonly mount: string
  /** The path below the root of the app, decoded: `/photos/cat.jpg`. */
  readonly path: string
  /** The path that it had, where it was moved. */
  readonly from?: string | undefined
  /** Bytes, of what is there now; of what was there, where it was deleted. */
  readonly size?: number | undefined
  /** Media type. */
  readonly contentType?: string | undefined
  readonly entityTag?: string | undefined
  /** SHA-256 of the bytes, in hexadecimal. */
  readonly sha256?: string | undefined
  /** Who did it: `strategy:name`; `''` where nobody is known. */
  readonly principal: string
}

/** An event of which it is not certain yet whether it happened. */
export interface PendingEvent {
  /** It happened: settles once it is certain that everybody will be told. Never throws. */
  confirm (facts: Partial<FileEvent>): Promise<void>
  /** It did not. Never throws; does nothing after `confirm`. */
  drop (): Promise<void>
}

/** Where it is told what happened to files. */
export interface FileEvents {
  /**
   * Writes down what is about to happen, so that it is told even if the process ends in between.
   *
   * @throws {MediaError} `insufficient-storage`, `out-of-descriptors`, `unavailable` where that cannot be written down
   */
  announce (event: FileEvent): Promise<PendingEvent>
}

/** What is done for a file that was written, beside telling of it. */
export interface Invalidation {
  /** Every file is looked at anew here; whatever is kept of these paths is forgotten, on every instance that can be told. Never throws. */
  forget (paths: readonly string[]): Promise<void>
}

/** How an event names who did something. */
export function principalName (principal: Principal | null): string {
  return principal === null ? '' : `${principal.strategy}:${principal.name}`
}

/** What is told of a file that is there. */
export function factsOf ({ representation: { type, size, entityTag } }: FoundFile): Pick<FileEvent, 'contentType' | 'size' | 'entityTag'> {
  return { contentType: type, size, entityTag }
}
