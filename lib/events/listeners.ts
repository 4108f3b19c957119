import type { FileEvent } from '../writing/parts.ts'
import type { EventsLog } from './receiver.ts'

/** Told of each event, in this process alone. What it throws is logged; nobody waits for what it promises. */
export type FileEventListener = (event: FileEvent) => unknown

/** Who listens in this process. */
export class Listeners {
  readonly #listeners = new Set<FileEventListener>()
  readonly #log: EventsLog

  constructor (log: EventsLog) {
    this.#log = log
  }

  /** @returns ends it */
  add (listener: FileEventListener): () => void {
    const own: FileEventListener = event => listener(event) // one that is added twice is told twice
    this.#listeners.add(own)
    return () => { this.#listeners.delete(own) }
  }

  /** Never throws. */
  tell (event: FileEvent): void {
    if (this.#listeners.size === 0) return
    const told = Object.freeze({ ...event })
    for (const listener of this.#listeners) void this.#tellOne(listener, told)
  }

  async #tellOne (listener: FileEventListener, event: FileEvent): Promise<void> {
    try {
      await listener(event)
    } catch (error) {
      this.#log.warn({ err: error, event: event.id, type: event.type }, 'A listener to events failed')
    }
  }
}
