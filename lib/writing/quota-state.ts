import type { Taken } from './quota-counter.ts'
import { MountLedger, type Hold, type Limits } from './quota-ledger.ts'
import type { JournalReader } from './shared-journal.ts'

/** Milliseconds after which the room is free that a process set aside of which nothing was heard. */
export const LEASE_MS = 120_000

/** What stands in the journal, each with a first word that tells what it is, and a second one that is used once. */
export type Entry =
  | readonly ['take', string, { readonly by: string, readonly at: number, readonly hold: Hold, readonly limits: Limits }]
  | readonly ['settle', string, { readonly hold: Hold, readonly key: string, readonly bytes: number }]
  | readonly ['release', string, Hold]
  | readonly ['remove', string, { readonly mount: string, readonly key: string }]
  | readonly ['move', string, { readonly mount: string, readonly from: string, readonly to: string }]
  | readonly ['found', string, { readonly mount: string, readonly files: ReadonlyArray<readonly [string, number]> }]
  | readonly ['counted', string, { readonly mount: string }]
  | readonly ['alive', string, { readonly by: string, readonly at: number }]
  | readonly ['file', string, { readonly mount: string, readonly key: string, readonly bytes: number, readonly owner?: string | undefined }]
  | readonly ['held', string, { readonly by: string, readonly at: number, readonly hold: Hold }]

/** How much is kept, as it follows from the entries of a journal: from them in their order, and from nothing else. */
export class QuotaState implements JournalReader {
  #mounts = new Map<string, MountLedger>()
  /** Which process set room aside, and when any was heard of last. */
  #holders = new Map<string, { readonly by: string, readonly hold: Hold }>()
  #heard = new Map<string, number>()
  /** What this process asked for, and what became of it. */
  readonly #asked = new Map<string, Taken>()

  at (mount: string): MountLedger {
    const ledger = this.#mounts.get(mount) ?? new MountLedger()
    this.#mounts.set(mount, ledger)
    return ledger
  }

  /** Remembers what becomes of an entry that asks for room, until it is told. */
  expect (once: string): void {
    this.#asked.set(once, 'uncounted')
  }

  takenBy (once: string): Taken {
    const taken = this.#asked.get(once)
    this.#asked.delete(once)
    return taken
  }

  /** Files that are counted. */
  get files (): number {
    return [...this.#mounts.values()].reduce((sum, ledger) => sum + ledger.files.size, 0)
  }

  /** Whether it can be told by a snapshot. */
  get isCounted (): boolean {
    return [...this.#mounts.values()].every(ledger => ledger.isCounted)
  }

  apply (written: readonly unknown[]): void {
    const entry = written as unknown as Entry
    switch (entry[0]) {
      case 'take': return this.#take(entry)
      case 'settle': return this.#settle(entry[2])
      case 'release': return this.#drop(entry[2])
      case 'remove': return this.at(entry[2].mount).remove(entry[2].key)
      case 'move': return this.at(entry[2].mount).move(entry[2].from, entry[2].to)
      case 'found': return entry[2].files.forEach(([key, bytes]) => this.at(entry[2].mount).found(key, bytes))
      case 'counted': return this.at(entry[2].mount).counted()
      case 'alive': return void this.#heard.set(entry[2].by, entry[2].at)
      case 'file': return this.at(entry[2].mount).put(entry[2].key, { bytes: entry[2].bytes, owner: entry[2].owner })
      case 'held': return this.#hold(entry[2])
    }
  }

  #take ([, once, { by, at, hold, limits }]: Extract<Entry, readonly ['take', ...unknown[]]>): void {
    this.#heard.set(by, at)
    for (const { by: holder, hold: held } of this.#holders.values()) if ((this.#heard.get(holder) ?? 0) < at - LEASE_MS) this.#drop(held)
    const ledger = this.at(hold.mount)
    const taken = ledger.isCounted ? ledger.take(hold, limits) : 'uncounted'
    if (taken === undefined) this.#holders.set(hold.id, { by, hold })
    if (this.#asked.has(once)) this.#asked.set(once, taken)
  }

  #hold ({ by, at, hold }: { readonly by: string, readonly at: number, readonly hold: Hold }): void {
    this.#heard.set(by, at)
    this.#holders.set(hold.id, { by, hold })
    this.at(hold.mount).holds.set(hold.id, hold)
  }

  #settle ({ hold, key, bytes }: { readonly hold: Hold, readonly key: string, readonly bytes: number }): void {
    this.#drop(hold)
    this.at(hold.mount).put(key, { bytes, owner: hold.principal })
  }

  #drop ({ id, mount }: Hold): void {
    this.#holders.delete(id)
    this.at(mount).holds.delete(id)
  }

  reset (): void {
    this.#mounts = new Map()
    this.#holders = new Map()
    this.#heard = new Map()
  }

  * snapshot (): Generator<Entry> {
    for (const [mount, { files }] of this.#mounts) {
      for (const [key, { bytes, owner }] of files) yield ['file', '', { mount, key, bytes, owner }]
      yield ['counted', '', { mount }]
    }
    for (const { by, hold } of this.#holders.values()) yield ['held', '', { by, at: this.#heard.get(by) ?? 0, hold }]
  }
}
