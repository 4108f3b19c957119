import { open } from 'node:fs/promises'

/** Makes what was put into a directory outlive a power loss: one flush for all who wait for one. */
export class DirectorySync {
  readonly #directory: string
  #underWay: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor (directory: string) {
    this.#directory = directory
  }

  /** Settles when all that was there at the call is on disk. @throws as the file system does */
  async flush (): Promise<void> {
    // What is under way may have begun before the caller's file was there.
    this.#next ??= this.#after(this.#underWay)
    await this.#next
  }

  async #after (earlier: Promise<void>): Promise<void> {
    await earlier.catch(() => undefined) // told to those who waited for it
    this.#underWay = this.#next ?? earlier
    this.#next = undefined
    const directory = await open(this.#directory, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }
}
