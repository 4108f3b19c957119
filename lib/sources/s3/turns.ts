/** Work on one name after the other, in the order in which it came, within this process. */
export class Turns {
  /** The end of the line for each name. */
  readonly #lines = new Map<string, Promise<unknown>>()

  /** Does it once nobody who came before works on one of these names. @throws what the work throws */
  async take<T> (names: readonly string[], work: () => Promise<T>): Promise<T> {
    const turn = Promise.all(names.map(async name => await this.#lines.get(name))).then(work)
    const end = turn.catch(() => undefined)
    for (const name of names) this.#lines.set(name, end)
    try {
      return await turn
    } finally {
      for (const name of names) {
        if (this.#lines.get(name) === end) this.#lines.delete(name)
      }
    }
  }
}
