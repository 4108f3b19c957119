import { Claims } from './writing-claims.ts'
import type { WritingArea } from './writing-area.ts'

/** Keys that are being changed: each by one at a time, in this process and, by {@link Claims}, in all that share the directory. */
export class KeyLocks {
  readonly #area: WritingArea
  /** The last in each queue. */
  readonly #tails = new Map<string, Promise<void>>()

  constructor (area: WritingArea) {
    this.#area = area
  }

  /**
   * Does something while nobody else does anything under one of these names.
   *
   * @param root the directory by which processes meet
   * @throws what the action throws
   * @throws {MediaError} `locked`
   * @throws as the file system does
   */
  async hold<T> (root: string, names: readonly string[], action: () => Promise<T>): Promise<T> {
    const releases: Array<() => Promise<void> | void> = []
    try {
      // In one order for all: two who want the same two never wait for each other.
      const ordered = [...new Set(names)].toSorted()
      for (const name of ordered) releases.push(await this.#queue(`${root}/${name}`))
      for (const name of ordered) releases.push(await this.#area.anew(root, async ({ locks, owner }) => await new Claims(locks, owner).take(name)))
      return await action()
    } finally {
      for (const release of releases.toReversed()) await release()
    }
  }

  async #queue (name: string): Promise<() => void> {
    const before = this.#tails.get(name)
    const turn: { end: () => void } = { end: () => undefined }
    const tail = new Promise<void>(resolve => {
      turn.end = () => {
        if (this.#tails.get(name) === tail) this.#tails.delete(name)
        resolve()
      }
    })
    this.#tails.set(name, tail)
    await before
    return turn.end
  }
}
