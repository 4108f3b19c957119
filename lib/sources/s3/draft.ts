import { MediaError } from '../../errors.ts'
import { typeOf } from '../../http/media-type.ts'
import type { Key } from '../../paths/request-path.ts'
import type { Room } from '../room.ts'
import type { Condition, Draft, DraftOptions, Written } from '../writing.ts'
import type { S3Client, WriteOptions } from './client.ts'
import { Part } from './part.ts'
import type { Payload } from './payload.ts'
import { newMark, type Placing } from './placing.ts'
import type { Upload } from './uploads.ts'

/** Parts of one object: every store ends there. */
const MAX_PARTS = 10_000

/** What drafts are made with. */
export interface DraftParts {
  readonly client: S3Client
  /** Bytes that are sent at once. */
  readonly partBytes: number
  /** Uploads of this process that are under way: nobody sweeps them. */
  readonly uploads: Set<string>
  /** Bytes of drafts that rest, which may be kept in memory. */
  readonly resting: Room
  /** Puts it in its place. */
  readonly put: (placing: Placing) => Promise<Written>
}

/**
 * A file on its way into a bucket. Up to the size of a part it is kept here and sent in one request; a larger
 * one goes in parts, one of which is sent while the next is gathered: no more than two are in memory. When it
 * rests, a small one is kept as long as there is room for it among those that rest: sent whole on commit, it is
 * sent on conditions that more stores look at. Otherwise what is here is sent as the last part.
 */
export class S3Draft implements Draft {
  readonly #parts: DraftParts
  readonly #key: Key
  readonly #name: string
  readonly #stored: WriteOptions
  readonly #mark = newMark()
  readonly #gone = new AbortController()
  readonly #tags: string[] = []
  #part: Part
  #upload: Upload | undefined
  #sending: Promise<void> = Promise.resolve()
  #bytes = 0
  /** What is kept while it rests. */
  #kept: Payload | undefined
  #isResting = false
  #isOver = false

  constructor (parts: DraftParts, { key, name }: { readonly key: Key, readonly name: string }, { type = typeOf(key) }: DraftOptions) {
    this.#parts = parts
    this.#key = key
    this.#name = name
    this.#stored = { type, metadata: this.#mark, signal: this.#gone.signal }
    this.#part = new Part(parts.partBytes)
  }

  get bytes (): number {
    return this.#bytes
  }

  async write (chunk: Buffer): Promise<void> {
    this.#expectOpen()
    if (this.#isResting) throw new Error('Expected a draft that does not rest')
    for (let at = 0; at < chunk.length;) {
      // A full one waits for a byte more: the last, which may be small, goes when it is known to be the last.
      if (this.#part.isFull) await this.#send()
      const taken = this.#part.take(chunk.subarray(at))
      at += taken
      this.#bytes += taken
    }
  }

  async rest (): Promise<void> {
    this.#expectOpen()
    this.#isResting = true
    if (this.#upload === undefined && this.#parts.resting.take(this.#bytes)) {
      this.#kept = this.#part.payload()
      this.#part = new Part(0)
      return
    }
    await this.#send()
    await this.#sending
  }

  async commit (condition?: Condition): Promise<Written> {
    this.#expectOpen()
    this.#isOver = true
    try {
      const store = this.#upload === undefined ? this.#whole() : await this.#inParts(this.#upload)
      const written = await this.#parts.put({ key: this.#key, name: this.#name, size: this.#bytes, mark: this.#mark, condition, store })
      this.#forget()
      return written
    } catch (error) {
      await this.#abandon()
      throw error
    }
  }

  async discard (): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#abandon()
  }

  #whole (): Placing['store'] {
    const payload = this.#kept ?? this.#part.payload()
    return async expected => await this.#parts.client.put(this.#name, payload, { ...this.#stored, ...expected })
  }

  async #inParts (upload: Upload): Promise<Placing['store']> {
    if (!this.#isResting) await this.#send()
    await this.#sending
    return async expected => {
      await this.#parts.client.uploads.complete(upload, this.#tags, { ...expected, signal: this.#gone.signal })
      return undefined
    }
  }

  /** Sends the part once the one before is there. */
  async #send (): Promise<void> {
    await this.#sending
    const payload = this.#part.payload()
    const number = this.#tags.length + 1
    if (number > MAX_PARTS) throw new MediaError('body-too-large', { detail: `A file of an object store has at most ${MAX_PARTS} parts of ${this.#parts.partBytes} bytes` })
    const upload = this.#upload ??= await this.#begin()
    this.#part = new Part(this.#parts.partBytes)
    this.#sending = this.#deliver(upload, { number, payload })
    this.#sending.catch(() => {}) // whoever writes next, or commits, is told
  }

  async #deliver (upload: Upload, part: { readonly number: number, readonly payload: Payload }): Promise<void> {
    this.#tags.push(await this.#parts.client.uploads.send(upload, { ...part, signal: this.#gone.signal }))
  }

  async #begin (): Promise<Upload> {
    const upload = await this.#parts.client.uploads.begin(this.#name, this.#stored)
    this.#parts.uploads.add(upload.id)
    return upload
  }

  async #abandon (): Promise<void> {
    this.#gone.abort(new Error('The upload was given up'))
    await this.#sending.catch(() => {})
    // Where the store is away it is left to be swept.
    if (this.#upload !== undefined) await this.#parts.client.uploads.abort(this.#upload).catch(() => {})
    this.#forget()
  }

  #forget (): void {
    if (this.#upload !== undefined) this.#parts.uploads.delete(this.#upload.id)
    if (this.#kept !== undefined) this.#parts.resting.give(this.#kept.bytes)
    this.#kept = undefined
    this.#part = new Part(0)
  }

  #expectOpen (): void {
    if (this.#isOver) throw new Error('Expected a draft that was neither committed nor discarded')
  }
}
