import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isAbsent } from './disk-faults.ts'
import { writeAside } from './disk-write.ts'

/** Of the marks that an instance has taken note of it names the greatest: each was greater than all others when it was made. */
const MAX_NOTED = 256

/** Milliseconds without a beat after which an instance is taken for dead. */
const ALIVE_MS = 10_000

/** Milliseconds between two looks at what the others have noted. */
const WAIT_MS = 20

interface Noted {
  readonly host: string
  readonly pid: number
  readonly marks: readonly string[]
}

/**
 * The processes that share a cache directory, each with a small file of its own that says which
 * purges it has taken note of. A file that is not touched for some seconds, or whose process is
 * gone from this host, is of the dead.
 */
export class Instances {
  readonly #directory: string
  readonly #aside: string
  readonly #name = `${process.pid}-${randomBytes(8).toString('hex')}`
  #marks: readonly string[] = []
  #isIn = false

  constructor (directory: string, aside: string) {
    this.#directory = directory
    this.#aside = aside
  }

  async join (): Promise<void> {
    this.#isIn = true
    await this.#write()
  }

  async leave (): Promise<void> {
    this.#isIn = false
    await unlink(join(this.#directory, this.#name)).catch(() => undefined)
  }

  /** Says that this instance is alive. */
  async beat (): Promise<void> {
    if (!this.#isIn) return // it left: nobody is to wait for it
    const now = new Date()
    await utimes(join(this.#directory, this.#name), now, now).catch(async (error: unknown) => {
      if (!isAbsent(error)) throw error
      if (this.#isIn) await this.#write()
    })
  }

  /** Says which purges are taken note of: all marks, in order. */
  async note (marks: readonly string[]): Promise<void> {
    const latest = marks.slice(-MAX_NOTED)
    if (!this.#isIn || latest.join() === this.#marks.join()) return
    this.#marks = latest
    await this.#write()
  }

  /** Waits until all who live have taken note of a purge. Gives those that have not. */
  async waitFor (mark: string, limitMs: number): Promise<string[]> {
    const end = performance.now() + limitMs
    for (;;) {
      const behind = await this.#behind(mark)
      if (behind.length === 0 || performance.now() >= end) return behind
      await wait(WAIT_MS)
    }
  }

  async #write (): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const noted: Noted = { host: hostname(), pid: process.pid, marks: this.#marks }
    await writeAside({ aside: this.#aside, path: join(this.#directory, this.#name), parts: [Buffer.from(JSON.stringify(noted))], isFlushed: false })
  }

  async #behind (mark: string): Promise<string[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (isAbsent(error)) return []
      throw error
    })
    const behind = await Promise.all(names.map(async name => name !== this.#name && await this.#isBehind(name, mark)))
    return names.filter((_, place) => behind[place])
  }

  async #isBehind (name: string, mark: string): Promise<boolean> {
    const path = join(this.#directory, name)
    try {
      const { mtimeMs } = await stat(path)
      const { host, pid, marks } = JSON.parse(await readFile(path, 'utf8')) as Noted
      if (marks.includes(mark)) return false
      if (Date.now() - mtimeMs < ALIVE_MS && !(host === hostname() && isGone(pid))) return true
      await unlink(path)
      return false
    } catch {
      return false // it left meanwhile, or is no file of an instance
    }
  }
}

function isGone (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
