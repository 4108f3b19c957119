import type { Readable } from 'node:stream'
import type { Key } from '../paths/request-path.ts'
import type { FoundFile } from './found.ts'

/**
 * Told what a key names at the moment in which nobody else may change it; throws to refuse. It may be
 * asked several times: where somebody else was faster, the store is looked at anew.
 *
 * @throws {MediaError} `precondition-failed`, `conflict`, or what else the caller wants to answer
 */
export type Condition = (current: FoundFile | undefined) => void

/** A file that was written. */
export interface Written {
  readonly found: FoundFile
  /** What the key named before. */
  readonly replaced: FoundFile | undefined
}

/** A file that nobody sees yet. One caller at a time; after `rest` only `commit` and `discard`, after those none. */
export interface Draft {
  /** Bytes that were taken so far. */
  readonly bytes: number
  /**
   * Takes bytes; settles when more may come, which may be before they are stored. The chunk is given away:
   * it is never changed afterwards. What could not be stored is told by this call, a later one, or `commit`.
   *
   * @throws {MediaError} `insufficient-storage`; `unavailable` where the store is away
   */
  write (chunk: Buffer): Promise<void>
  /**
   * Nothing more comes for a while, and it may be long until `commit`: gives back what is held in memory and
   * open. After it, only `commit` and `discard`.
   *
   * @throws as `write`: the draft is to be discarded then
   */
  rest (): Promise<void>
  /**
   * Makes it what the key names: when this settles the file is there, whole, and outlives a power loss.
   * When it throws, the key names what it named before, and the draft is gone. Two failures leave what cannot be
   * known, or not be put back: where a store's answer does not come, and it tells nothing afterwards either, the
   * file may be there; and where a disk fails once a file was replaced, the key names the new one, which may not
   * outlive a power loss.
   *
   * @throws what the condition throws
   * @throws {MediaError} `conflict` where the key, or what lies above it, names something else than is needed;
   *   `locked` where others write it for too long; `bad-name`, `forbidden`, `insufficient-storage`, `unavailable`
   */
  commit (condition?: Condition): Promise<Written>
  /** Forgets it. Never throws; a second call, and one after `commit`, does nothing. */
  discard (): Promise<void>
}

/** What is known of a file before it is written. */
export interface DraftOptions {
  /** Bytes, where they are known. */
  readonly size?: number | undefined
  /** Media type, for stores that keep one. */
  readonly type?: string | undefined
}

/**
 * What a source adds whose files can be written. `test/contracts/writable.ts` holds every driver to this.
 * Directories appear with the first file below them and vanish with the last. What a source hides can
 * neither be written nor removed.
 */
export interface Writable {
  /**
   * Begins a file.
   *
   * @throws {MediaError} `forbidden` for what the source hides, or where the store refuses us; `bad-name` for what the
   *   store takes no such name for; `conflict`, `insufficient-storage`, `unavailable`
   */
  begin (key: Key, options?: DraftOptions): Promise<Draft>
  /**
   * Removes a file; undefined where the key names none. Never a directory. Where the store, or the disk, fails
   * amid it, the file may be gone although this throws.
   *
   * @throws what the condition throws (it is asked about what is not there, too)
   * @throws {MediaError} `conflict` for a directory; `locked`, `forbidden`, `unavailable`
   */
  remove (key: Key, condition?: Condition): Promise<FoundFile | undefined>
  /**
   * Gives a file another key. A reader finds it under one of the two, or under both, never under none.
   * When it throws, both keys name what they named before. That cannot be had where the new key named a file that
   * is replaced by then, or the store is away or refuses to remove what it copied: the file is there under both
   * keys then, and where the store told that much, the failure says so.
   *
   * @param conditions `from`: about what is moved; `to`: about what its new key names
   * @throws what the conditions throw
   * @throws {MediaError} `not-found`; `conflict`, also for two equal keys; `locked`, `bad-name`, `forbidden`, `insufficient-storage`, `unavailable`
   */
  move (from: Key, to: Key, conditions?: { readonly from?: Condition | undefined, readonly to?: Condition | undefined }): Promise<Written>
  /**
   * Removes what unfinished writes have left behind, of this process or of others, that is older than so many
   * milliseconds. Returns how many. Never throws.
   */
  sweep (olderThanMs: number): Promise<number>
}

/** Bytes as they come, each chunk once. */
export type Incoming = AsyncIterable<Buffer> | Readable
