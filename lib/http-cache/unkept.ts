import { createHash } from 'node:crypto'
import { Recent } from '../cache/recent.ts'

/** Paths of a scope that are remembered, in each of two generations: clients that ask for ever new ones push against it. */
const MAX_PATHS = 2000

/** Longer paths are remembered by a hash: a client chooses how long they are. */
const MAX_CHARACTERS = 128

/** Until when the answers for paths are thought not to be kept: nobody waits for another's meanwhile. */
export class Unkept {
  readonly #until = new Recent<string, number>(MAX_PATHS)

  /** @param now as that of {@link note}, in milliseconds */
  has (path: string, now: number): boolean {
    return (this.#until.get(nameOf(path)) ?? 0) > now
  }

  /** @param until milliseconds, on the clock of who asks */
  note (path: string, until: number): void {
    // A copy: what was cut out of a request target keeps all of that in memory.
    this.#until.set(Buffer.from(nameOf(path)).toString(), until)
  }

  delete (path: string): void {
    this.#until.delete(nameOf(path))
  }
}

/** No path is named so: they begin with a slash. */
function nameOf (path: string): string {
  return path.length <= MAX_CHARACTERS ? path : createHash('sha256').update(path).digest('base64url')
}
