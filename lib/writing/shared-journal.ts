import { mkdir, type FileHandle } from 'node:fs/promises'
import { fileFault } from '../sources/file-faults.ts'
import { followJournal, openNewest, sweepPieces, type JournalFile } from './journal-files.ts'

/** What a journal tells of. */
export interface JournalReader {
  /** All begins anew. */
  reset (): void
  /** One entry, in the order that all who share the journal see. */
  apply (entry: readonly unknown[]): void
  /** Entries that make what there is now. */
  snapshot (): Iterable<readonly unknown[]>
}

/** The first word of the last entry of a journal that another one follows. */
const SEAL = 'seal'

/** Bytes that are read at once. */
const CHUNK_BYTES = 256 * 1024

/** How often an entry is written that another writer cut in two, until the disk is taken to be broken. */
const MAX_TRIES = 5

interface Waiting {
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Entries in a file, to which processes of one machine append and which they all read in the same order: where
 * their state follows from the entries alone they need no locks. Each entry stands in a line of its own, with an
 * empty one before it: what a process left unfinished spoils nothing but itself. One that is long is sealed, and
 * followed by one that begins with what there is by then; whatever stands behind the seal does not count, and is
 * written again by whom it belongs to.
 *
 * It outlives the end of a process, however sudden. It is not flushed: a power loss may take the last entries.
 */
export class SharedJournal {
  readonly #directory: string
  readonly #reader: JournalReader
  #file: FileHandle | undefined
  #generation = 0
  /** Bytes that were read. */
  #position = 0
  /** Of which the last line was not whole. */
  #rest: Buffer = Buffer.alloc(0)
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  #isSealed = false
  #waiting: Waiting[] = []
  #flushing: Promise<void> | undefined
  #written = new Map<string, Waiting>()
  #compacting: Promise<void> | undefined
  /** Entries since it was begun. */
  entries = 0

  private constructor (directory: string, reader: JournalReader) {
    this.#directory = directory
    this.#reader = reader
  }

  /** Opens the newest one, and reads it. @throws as the file system does */
  static async open (directory: string, reader: JournalReader): Promise<SharedJournal> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await sweepPieces(directory)
    const journal = new SharedJournal(directory, reader)
    await journal.#open()
    return journal
  }

  /**
   * Writes an entry, and reads on to it: what it did was told by then. Entries have to differ.
   *
   * @throws {MediaError} `insufficient-storage`, and what else the file system is at fault for
   */
  async append (entry: readonly unknown[]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line: JSON.stringify(entry), resolve, reject })
      this.#flushing ??= this.#flush().finally(() => { this.#flushing = undefined })
    })
  }

  /** Lets another journal follow, that begins with what there is, unless one does already. @throws as `append` */
  async compact (): Promise<void> {
    this.#compacting ??= this.append([SEAL, this.#generation]).then(async () => await this.#flushing).finally(() => { this.#compacting = undefined })
    await this.#compacting
  }

  async close (): Promise<void> {
    await this.#flushing
    await this.#file?.close()
    this.#file = undefined
  }

  async #flush (): Promise<void> {
    for (let tries = 0; this.#waiting.length > 0; tries++) {
      const batch = this.#waiting
      this.#waiting = []
      this.#written = new Map(batch.map(waiting => [waiting.line, waiting]))
      let fault: unknown
      try {
        await this.#file?.appendFile(batch.map(({ line }) => `\n${line}\n`).join(''))
      } catch (error) {
        fault = error
      }
      try {
        await this.#readOn() // of what failed a part may have been written
      } catch (error) {
        fault ??= error
      }
      const left = [...this.#written.values()]
      if (fault === undefined && tries < MAX_TRIES) this.#waiting.unshift(...left)
      else for (const { reject } of left) reject(await fileFault(fault, this.#directory))
      if (left.length === 0) tries = -1
    }
  }

  /** Reads to the end, and past a seal into what follows it. */
  async #readOn (): Promise<void> {
    await this.#readFile()
    while (this.#isSealed) {
      await followJournal(this.#directory, this.#generation, this.#reader.snapshot())
      await this.#open()
    }
  }

  async #readFile (): Promise<void> {
    const buffer = this.#buffer
    while (!this.#isSealed && this.#file !== undefined) {
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK_BYTES, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      this.#take(Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]))
    }
  }

  #take (bytes: Buffer): void {
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0 && !this.#isSealed; start = end + 1, end = bytes.indexOf(10, start)) {
      if (end > start) this.#read(bytes.toString('utf8', start, end))
    }
    this.#rest = Buffer.from(bytes.subarray(start))
  }

  #read (line: string): void {
    let entry: unknown
    try {
      entry = JSON.parse(line)
    } catch {
      return // a process ended while it wrote this
    }
    if (!Array.isArray(entry)) return
    this.entries++
    if (entry[0] === SEAL) this.#isSealed = entry[1] === this.#generation // one that came too late seals nothing
    else this.#reader.apply(entry as unknown[])
    this.#written.get(line)?.resolve()
    this.#written.delete(line)
  }

  async #open (): Promise<void> {
    await this.#begin(await openNewest(this.#directory))
  }

  async #begin ({ file, generation }: JournalFile): Promise<void> {
    await this.#file?.close()
    this.#file = file
    this.#generation = generation
    this.#position = this.entries = 0
    this.#rest = Buffer.alloc(0)
    this.#isSealed = false
    this.#reader.reset()
    await this.#readFile()
  }
}
