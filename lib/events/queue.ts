import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readWaitingName, type Waiting } from './message-file.ts'
import { streamedNames } from './streamed-names.ts'

/** Names that are known at once, the next that are due: whoever uploads while a receiver is away pushes against it. */
const MAX_KNOWN = 4096

/** A message of a queue. */
export interface QueuedMessage extends Waiting {
  /** That of its file. */
  readonly name: string
}

/** What waits for one receiver: files in a directory, of which a bounded number of names is known, the next that are due. */
export class Queue {
  readonly directory: string
  readonly #maxKnown: number
  /** In order. What is not in here, and not taken, is due later than all of these. */
  #known: QueuedMessage[] = []
  readonly #names = new Set<string>()
  readonly #taken = new Set<string>()
  readonly #subjects = new Set<string>()
  /** While the directory is read: names that are no more, which it may still tell. */
  #gone: Set<string> | undefined
  #isPartial = false
  #count = 0

  constructor (directory: string, maxKnown = MAX_KNOWN) {
    this.directory = directory
    this.#maxKnown = maxKnown
  }

  /** @throws as the file system does; so does all below that waits */
  async make (): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
  }

  /** How many wait, those that are on their way included. */
  get count (): number {
    return this.#count
  }

  /** Milliseconds since the epoch at which something becomes due that is not yet. */
  dueAfter (nowMs: number): number | undefined {
    return this.#known.find(({ dueMs }) => dueMs > nowMs)?.dueMs
  }

  pathOf (name: string): string {
    return join(this.directory, name)
  }

  /** A file came into the directory. */
  offer (name: string): void {
    this.#count++
    this.#insert(name)
  }

  /** Reads what is next, where nothing is known of it. */
  async load (): Promise<void> {
    if (!this.#isPartial || this.#known.length > 0) return
    this.#isPartial = false
    const gone = this.#gone = new Set()
    try {
      for await (const name of streamedNames(this.directory)) {
        if (!this.#taken.has(name) && !this.#names.has(name) && !gone.has(name)) this.#insert(name)
      }
    } catch (error) {
      this.#isPartial = true
      throw error
    } finally {
      this.#gone = undefined
    }
    if (this.#known.length + this.#taken.size === 0) this.#count = 0 // whatever somebody else took away
  }

  /** What is due and about nothing that is on its way already: so messages about one path keep their order while none fails. */
  take (nowMs: number): QueuedMessage | undefined {
    const place = this.#known.findIndex(({ dueMs, subject }) => dueMs > nowMs || !this.#subjects.has(subject))
    const next = this.#known[place]
    if (next === undefined || next.dueMs > nowMs) return undefined
    this.#known.splice(place, 1)
    this.#names.delete(next.name)
    this.#taken.add(next.name)
    this.#subjects.add(next.subject)
    return next
  }

  /** What was taken is no more. */
  done (taken: QueuedMessage): void {
    this.#count = Math.max(0, this.#count - 1)
    this.#leave(taken)
  }

  /** What was taken has another name. */
  again (taken: QueuedMessage, name = taken.name): void {
    this.#leave(taken)
    this.#gone?.delete(name)
    this.#insert(name)
  }

  #leave ({ name, subject }: QueuedMessage): void {
    this.#taken.delete(name)
    this.#gone?.add(name)
    this.#subjects.delete(subject)
  }

  #insert (name: string): void {
    const waiting = readWaitingName(name)
    if (waiting === undefined) return
    const last = this.#known.at(-1)
    if (this.#isPartial && (last === undefined || name > last.name)) return
    const after = this.#known.findLastIndex(known => known.name <= name)
    this.#known.splice(after + 1, 0, { name, ...waiting })
    this.#names.add(name)
    if (this.#known.length <= this.#maxKnown) return
    this.#names.delete(this.#known.pop()?.name ?? '')
    this.#isPartial = true
  }
}
