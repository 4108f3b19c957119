import { randomBytes } from 'node:crypto'
import type { AccessLog } from '../access/access.ts'
import type { QuotaCounter, Taken } from './quota-counter.ts'
import type { Hold, Limits, Sum } from './quota-ledger.ts'
import { QuotaState, type Entry } from './quota-state.ts'
import { SharedJournal } from './shared-journal.ts'

/** Milliseconds after which a process that has room set aside says that it is there. */
const ALIVE_MS = 30_000

/** Entries of a journal that are more than there are files, from which on another one follows. */
const SPARE_ENTRIES = 20_000

/** {@link QuotaCounter} in a directory, for the processes of one machine: each decides by the journal, and all decide alike. */
export class JournalCounter implements QuotaCounter {
  readonly #log: AccessLog
  readonly #by = randomBytes(8).toString('hex')
  readonly #state = new QuotaState()
  readonly #own = new Set<string>()
  /** What could not be written, in order. */
  readonly #owed: Entry[] = []
  #uses = 0
  #journal: SharedJournal | undefined
  readonly #alive: NodeJS.Timeout

  private constructor (log: AccessLog) {
    this.#log = log
    this.#alive = setInterval(() => {
      if (this.#own.size > 0 || this.#owed.length > 0) void this.#write(['alive', this.#once(), { by: this.#by, at: Date.now() }])
    }, ALIVE_MS).unref()
  }

  /** @throws as the file system does */
  static async open ({ directory, log }: { directory: string, log: AccessLog }): Promise<JournalCounter> {
    const counter = new JournalCounter(log)
    counter.#journal = await SharedJournal.open(directory, counter.#state)
    return counter
  }

  async take (hold: Hold, limits: Limits): Promise<Taken> {
    const once = this.#once()
    this.#state.expect(once)
    try {
      await this.#append(['take', once, { by: this.#by, at: Date.now(), hold, limits }])
    } catch (error) {
      this.#state.takenBy(once)
      throw error
    }
    const taken = this.#state.takenBy(once)
    if (taken === undefined) this.#own.add(hold.id)
    await this.#shorten()
    return taken
  }

  async settle (hold: Hold, key: string, bytes: number): Promise<void> {
    this.#own.delete(hold.id)
    await this.#write(['settle', this.#once(), { hold, key, bytes }])
  }

  async release (hold: Hold): Promise<void> {
    this.#own.delete(hold.id)
    await this.#write(['release', this.#once(), hold])
  }

  async removed (mount: string, key: string): Promise<void> {
    await this.#write(['remove', this.#once(), { mount, key }])
  }

  async moved (mount: string, from: string, to: string): Promise<void> {
    await this.#write(['move', this.#once(), { mount, from, to }])
  }

  async found (mount: string, files: ReadonlyArray<readonly [string, number]>): Promise<boolean> {
    await this.#append(['found', this.#once(), { mount, files }])
    return !this.#state.at(mount).isCounted
  }

  async counted (mount: string): Promise<void> {
    await this.#append(['counted', this.#once(), { mount }])
  }

  async isCounted (mount: string): Promise<boolean> {
    await this.#append(['alive', this.#once(), { by: this.#by, at: Date.now() }]) // what others wrote is read with it
    return this.#state.at(mount).isCounted
  }

  async usage (mount: string, principal?: string): Promise<Sum> {
    await this.isCounted(mount)
    return this.#state.at(mount).usage(principal)
  }

  async close (): Promise<void> {
    clearInterval(this.#alive)
    await this.#write(['alive', this.#once(), { by: this.#by, at: Date.now() }]) // and with it what is owed
    await this.#journal?.close()
  }

  /** What happened is written, now or later. Never throws. */
  async #write (entry: Entry): Promise<void> {
    await this.#append(entry).catch((error: unknown) => {
      if (entry[0] !== 'alive') this.#owed.push(entry)
      this.#log.warn({ err: error }, 'It cannot be written down how much is kept: it will be, with the next change')
    })
  }

  /** What is owed goes first, in order. */
  async #append (entry: Entry): Promise<void> {
    const entries = [...this.#owed.splice(0), entry]
    const results = await Promise.allSettled(entries.map(async each => await this.#journal?.append(each)))
    const failed = entries.filter((each, at) => each !== entry && results[at]?.status === 'rejected')
    this.#owed.unshift(...failed)
    const own = results.at(-1)
    if (own?.status === 'rejected') throw own.reason
  }

  async #shorten (): Promise<void> {
    if ((this.#journal?.entries ?? 0) < 2 * this.#state.files + SPARE_ENTRIES || !this.#state.isCounted) return
    await this.#journal?.compact().catch((error: unknown) => this.#log.warn({ err: error }, 'The journal of what is kept could not be shortened'))
  }

  #once (): string {
    return `${this.#by}-${++this.#uses}`
  }
}
