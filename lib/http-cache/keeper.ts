import { Readable } from 'node:stream'
import { ownBytes } from '../cache/memory-store.ts'
import { MediaError } from '../errors.ts'
import { lengthOf } from '../upstream/download.ts'
import type { UpstreamResponse } from '../upstream/message.ts'
import type { DiskTier, Spot } from './disk-tier.ts'
import { bodyOf, Entry, type KeptBody } from './entry.ts'
import type { Memory } from './memory.ts'
import { Recording } from './recording.ts'
import { Spool } from './spool.ts'
import { StoredBody } from './stored-body.ts'

/** Up to this many bytes a body is kept in memory, and in one record on disk: well below what the disk reads whole. */
export const SMALL_BODY_BYTES = 512 * 1024

/** Without a disk, a body may take this part of the memory. */
const LARGE_BODY_PART = 1 / 8

/** What is of use for fewer milliseconds is not written to disk: it would be written again and again. */
const WRITE_WORTH_MS = 10_000

/** An answer that may be kept, and what it is kept for. */
export interface Keepable extends Pick<Entry, 'head' | 'freshness' | 'selection'> {
  readonly response: UpstreamResponse
  /** Bytes of the largest body that is kept. */
  readonly maxBytes: number
  /** Whether it is fetched to its end also where nobody reads it. */
  readonly isWanted: boolean
  /** What is kept in its place so far. */
  readonly before: Entry | undefined
}

/** Puts answers where they are kept, and takes them away. */
export class Keeper {
  readonly memory: Memory
  readonly disk: DiskTier | undefined
  /** Bytes of the largest body that is kept in memory. */
  readonly #memoryBodyBytes: number
  readonly #arriving = new Set<Recording>()
  readonly #writing = new Set<Promise<void>>()

  /** @param memoryBytes what all answers in memory may take together */
  constructor (memory: Memory, disk: DiskTier | undefined, memoryBytes: number) {
    this.memory = memory
    this.disk = disk
    this.#memoryBodyBytes = Math.min(memoryBytes * LARGE_BODY_PART, disk === undefined ? Infinity : SMALL_BODY_BYTES)
  }

  /** Whether a body may be kept, as far as its head tells. */
  hasRoom ({ headers, body }: UpstreamResponse, maxBytes: number): boolean {
    const length = Buffer.isBuffer(body) ? body.length : lengthOf(headers) ?? 0
    return length <= maxBytes && (this.disk !== undefined || length <= this.#memoryBodyBytes)
  }

  /** Keeps an answer, at once or while it arrives. */
  keep (spot: Spot, keepable: Keepable): Entry {
    const { head, freshness, selection, before, response: { body, headers } } = keepable
    const isSmall = Buffer.isBuffer(body) && body.length <= this.#memoryBodyBytes
    if (!isSmall) return this.#record(spot, keepable, Buffer.isBuffer(body) ? body.length : lengthOf(headers))
    const entry = new Entry({ head, freshness, selection, body: bodyOf(ownBytes(body)) })
    this.put(spot, entry, before)
    return entry
  }

  /** Keeps what is whole, in the place of what was there before. */
  put (spot: Spot, entry: Entry, before: Entry | undefined): void {
    this.raise(spot, entry)
    if (this.disk !== undefined) this.#write(this.#putOnDisk(this.disk, spot, { entry, before }))
  }

  /** Keeps in memory what the disk has. */
  raise (spot: Spot, entry: Entry): void {
    if (entry.body instanceof StoredBody) entry.body.onDamage = () => this.drop(spot, entry)
    this.memory.put(spot, entry)
  }

  /** Forgets an answer. */
  drop ({ resource }: Spot, entry: Entry): void {
    this.memory.drop(entry, resource)
    if (this.disk !== undefined) this.#write(this.disk.drop(entry))
  }

  /** Ends what is arriving, and waits for what is being written. */
  async close (): Promise<void> {
    const arriving = [...this.#arriving]
    for (const recording of arriving) recording.abort(new MediaError('unavailable', { detail: 'The server is being stopped' }))
    await Promise.all(arriving.map(async ({ done }) => await done))
    while (this.#writing.size > 0) await Promise.all(this.#writing) // the end of one may begin another
    await this.disk?.close()
  }

  #record (spot: Spot, keepable: Keepable, length: number | undefined): Entry {
    const { head, freshness, selection, response, maxBytes, isWanted, before } = keepable
    const { memory, disk } = this
    const memoryBytes = Math.min(length ?? Infinity, this.#memoryBodyBytes, maxBytes)
    const arriving = (length ?? 0) <= memoryBytes && memory.arrive(memoryBytes) ? memoryBytes : 0
    const recording = new Recording({
      body: Buffer.isBuffer(response.body) ? Readable.from([response.body], { objectMode: false }) : response.body,
      length,
      maxBytes,
      memoryBytes: arriving,
      openSpool: async () => disk === undefined ? undefined : await Spool.open(disk, spot),
      isWanted,
      trailers: response.trailers,
      onGivenUp: () => memory.drop(entry, spot.resource)
    })
    const entry = new Entry({ head, freshness, selection, body: recording })
    this.#show(spot, entry, before)
    this.#arriving.add(recording)
    this.#write(recording.done.then(body => {
      memory.leave(arriving)
      this.#arriving.delete(recording)
      return this.#settle(spot, { entry, body, before })
    }))
    return entry
  }

  /** What is arriving can be answered with, in the place of what was there. */
  #show ({ resource }: Spot, entry: Entry, before: Entry | undefined): void {
    resource.users++
    if (before !== undefined) this.memory.drop(before, resource)
    resource.entries.set(entry.selection, entry)
  }

  /** What was arriving is whole, or will never be. */
  #settle (spot: Spot, { entry, body, before }: { entry: Entry, body: KeptBody | undefined, before: Entry | undefined }): void {
    const { resource, shelf } = spot
    const isMeant = resource.entries.get(entry.selection) === entry && !resource.isGone
    if (isMeant) resource.entries.delete(entry.selection)
    if (isMeant && body !== undefined) this.put(spot, entry.with(body), before)
    else if (body !== undefined && this.disk !== undefined) this.#write(this.disk.dropBody(body))
    else if (isMeant && before !== undefined) this.memory.put(spot, before)
    shelf.release(resource)
  }

  async #putOnDisk (disk: DiskTier, spot: Spot, { entry, before }: { entry: Entry, before: Entry | undefined }): Promise<void> {
    if (isWorthAWrite(entry)) await disk.put(spot, entry)
    else if (before !== undefined) await disk.forget(before)
    if (before !== undefined && before.body !== entry.body) await disk.dropBody(before.body)
  }

  #write (write: Promise<void>): void {
    this.#writing.add(write)
    void write.finally(() => this.#writing.delete(write))
  }
}

/** Whether it is of use for long enough. A large body is on disk already, whatever its head says. */
function isWorthAWrite ({ body, head: { receivedAt }, freshness: { freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil } }: Entry): boolean {
  return body instanceof StoredBody || Math.max(freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil) - receivedAt >= WRITE_WORTH_MS
}
