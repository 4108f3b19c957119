import { unlink } from 'node:fs/promises'
import { isAbsent } from '../cache/disk-faults.ts'
import type { FileEvent, PendingEvent } from '../writing/parts.ts'
import { addLine, withFacts } from './message-file.ts'
import type { EventsLog } from './receiver.ts'

/** An event that was written down. */
export interface IntentParts {
  readonly event: FileEvent
  readonly path: string
  readonly log: EventsLog
  /** Gives the file to who is told. Never throws. */
  readonly give: (event: FileEvent, path: string) => Promise<void>
}

/** An event that was written down, and of which it will be said what became. */
export class Intent implements PendingEvent {
  readonly #parts: IntentParts
  #isOver = false

  constructor (parts: IntentParts) {
    this.#parts = parts
  }

  async confirm (facts: Partial<FileEvent>): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    const { event, path, log, give } = this.#parts
    try {
      await addLine(path, { happened: facts }, { isFlushed: false })
    } catch (error) {
      // Without the line it is still known that it happened, for the file will be with those that did. What is gone is written anew.
      if (!isAbsent(error)) log.warn({ err: error, event: event.id }, 'What became of an event cannot be written down')
    }
    await give(withFacts(event, facts), path)
  }

  async drop (): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await unlink(this.#parts.path).catch(() => undefined) // where it stays, it is found out later that it did not happen
  }
}
