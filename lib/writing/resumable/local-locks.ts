/** Asks whoever holds a lock to let go of it soon. */
export type AskRelease = () => void | Promise<void>

interface Waiting {
  readonly askRelease: AskRelease
  readonly begin: () => void
}

interface Held {
  askRelease: AskRelease
  readonly waiting: Waiting[]
}

/**
 * Locks of one process, given in the order in which they were asked for. Who waits asks the holder to let go:
 * mostly its connection died, and its client is the one who waits (tus 1.0, PATCH). The library's own locks
 * turn in a loop while they wait, which lets anybody with two connections keep a core busy.
 */
export class LocalLocks {
  readonly #held = new Map<string, Held>()

  /** Settles once it is held. @throws the signal's reason where that comes first */
  async take (id: string, askRelease: AskRelease, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const held = this.#held.get(id)
    if (held === undefined) {
      this.#held.set(id, { askRelease, waiting: [] })
      return
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        held.waiting.splice(held.waiting.indexOf(waiting), 1)
        reject(signal.reason as Error)
      }
      const begin = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const waiting = { askRelease, begin }
      held.waiting.push(waiting)
      signal.addEventListener('abort', leave, { once: true })
      void held.askRelease()
    })
  }

  /** Gives back what is held. */
  give (id: string): void {
    const held = this.#held.get(id)
    const next = held?.waiting.shift()
    if (held === undefined || next === undefined) {
      this.#held.delete(id)
      return
    }
    held.askRelease = next.askRelease
    next.begin()
    if (held.waiting.length > 0) void next.askRelease()
  }
}
