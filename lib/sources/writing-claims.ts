import { createHash, randomBytes } from 'node:crypto'
import { appendFile, lstat, open, readdir, unlink } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { MediaError } from '../errors.ts'
import { isRunning, ownerNamed, ownerName, type Owner } from './writing-owner.ts'

/** How long one waits for another process until the client is told to come again. Whoever holds a claim needs milliseconds. */
const PATIENCE_MS = 10_000

/** Pauses between two tries: the first at most so long, each next at most twice as long as the one before, up to the last. */
const FIRST_PAUSE_MS = 4
const LAST_PAUSE_MS = 128

/** How often a claim that is held for long shows that its process lives. */
const BEAT_MS = 5000

/** A claim of another host, where processes cannot be asked for, is dead when it has not beaten for so long. */
const SILENCE_MS = 60_000

/** Bounds of claims: tests have less time. */
export interface ClaimTimes {
  readonly patienceMs: number
  readonly beatMs: number
  readonly silenceMs: number
}

const usualTimes: ClaimTimes = { patienceMs: PATIENCE_MS, beatMs: BEAT_MS, silenceMs: SILENCE_MS }

/**
 * Exclusion between processes that share a directory. Who wants a thing first puts a file of a name of
 * its own there, and then looks whether there is another for the same thing: if so, it takes its own
 * away and tries again later. Of two at once, whoever looks last sees the other, so never both go on.
 *
 * What a killed process has left is known by its process being gone, and is removed by whoever meets it:
 * its name is nobody else's, so that nothing alive is removed by mistake. Between hosts that share a
 * directory it is known by its age alone: one that is stopped for longer than a minute amid a rename,
 * and then goes on, is not covered. Nor are file systems whose hosts see a new name late.
 */
export class Claims {
  readonly #directory: string
  readonly #owner: Owner
  readonly #times: ClaimTimes

  /** @param directory has to exist */
  constructor (directory: string, owner: Owner, times: Partial<ClaimTimes> = {}) {
    this.#directory = directory
    this.#owner = owner
    this.#times = { ...usualTimes, ...times }
  }

  /**
   * Waits until a thing is ours.
   *
   * @returns gives it back; never throws
   * @throws {MediaError} `locked`
   * @throws as the file system does
   */
  async take (thing: string): Promise<() => Promise<void>> {
    const prefix = `${hashOf(thing)}.`
    const own = `${prefix}${ownerName(this.#owner)}.${randomBytes(6).toString('hex')}`
    const end = performance.now() + this.#times.patienceMs
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      if (await this.#isAlone(own, prefix)) return this.#held(own)
      if (performance.now() > end) throw new MediaError('locked', { headers: { 'retry-after': '1' } })
      await wait(Math.random() * pause)
    }
  }

  /** Removes claims that are older than so many milliseconds, if nobody holds them. Returns how many. Never throws. */
  async sweep (olderThanMs: number): Promise<number> {
    let count = 0
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const age = await this.#ageOf(name)
      if (age === undefined || age <= olderThanMs || await this.#isAlive(name)) continue
      if (await this.#remove(name)) count++
    }
    return count
  }

  async #isAlone (own: string, prefix: string): Promise<boolean> {
    await (await open(this.#path(own), 'wx', 0o600)).close()
    let isAlone = false
    try {
      const others = (await readdir(this.#directory)).filter(name => name.startsWith(prefix) && name !== own)
      for (const name of others) {
        if (await this.#isAlive(name)) return false
        await this.#remove(name)
      }
      isAlone = true
    } finally {
      if (!isAlone) await this.#remove(own)
    }
    return isAlone
  }

  #held (own: string): () => Promise<void> {
    // A write, not a time of ours: ages are told by the clock of the file system.
    const beat = setInterval(() => { void appendFile(this.#path(own), '.').catch(() => undefined) }, this.#times.beatMs)
    beat.unref()
    return async () => {
      clearInterval(beat)
      await this.#remove(own)
    }
  }

  async #isAlive (name: string): Promise<boolean> {
    const owner = ownerNamed(name.split('.').slice(1, 4).join('.'))
    if (owner === undefined) return false
    if (owner.host === this.#owner.host) return await isRunning(owner)
    const age = await this.#ageOf(name)
    return age !== undefined && age <= this.#times.silenceMs
  }

  /** Milliseconds since it was last written to; undefined where it is gone. Clocks of hosts are taken to agree within seconds. */
  async #ageOf (name: string): Promise<number | undefined> {
    return await lstat(this.#path(name)).then(({ mtimeMs }) => Date.now() - mtimeMs, () => undefined)
  }

  async #remove (name: string): Promise<boolean> {
    return await unlink(this.#path(name)).then(() => true, () => false)
  }

  #path (name: string): string {
    return `${this.#directory}/${name}`
  }
}

function hashOf (thing: string): string {
  return createHash('sha256').update(thing).digest('hex').slice(0, 32)
}
