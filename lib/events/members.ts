import { randomBytes } from 'node:crypto'
import { existsSync, readlinkSync } from 'node:fs'
import { mkdir, readFile, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isAbsent } from '../cache/disk-faults.ts'
import { writeAside } from '../cache/disk-write.ts'
import { streamedNames } from './streamed-names.ts'

/** Milliseconds without a beat after which an instance is taken for dead. */
const ALIVE_MS = 15_000

interface Member {
  /** Where its process id means something. */
  readonly host: string
  readonly pid: number
  /** When its process started, in milliseconds since the epoch: ids are given out again. */
  readonly startedMs: number
}

/**
 * Who shares a directory, each with a small file that is touched while it is alive. One whose process
 * is gone from this host is dead at once; of any other it is known when its file was not touched for a
 * while. To take a living one for dead does no harm but that something is told twice.
 */
export class Members {
  readonly name = `${process.pid}-${randomBytes(8).toString('hex')}`
  readonly #directory: string
  readonly #own: Member = { host: hostOfProcesses(), pid: process.pid, startedMs: Math.round(performance.timeOrigin) }

  constructor (directory: string) {
    this.#directory = directory
  }

  /** @throws as the file system does; so does all below */
  async join (): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await writeAside({ aside: this.#directory, path: this.#path(this.name), parts: [Buffer.from(JSON.stringify(this.#own))], isFlushed: false })
  }

  /** Says that this instance is alive. */
  async beat (): Promise<void> {
    const now = new Date()
    await utimes(this.#path(this.name), now, now).catch(async (error: unknown) => {
      if (!isAbsent(error)) throw error
      await this.join()
    })
  }

  async leave (): Promise<void> {
    await this.forget(this.name)
  }

  /** Whoever has no file is dead: an instance has one before it has anything else. */
  async isAlive (name: string): Promise<boolean> {
    try {
      const { mtimeMs } = await stat(this.#path(name))
      if (Date.now() - mtimeMs > ALIVE_MS) return false
      return !this.#isGone(JSON.parse(await readFile(this.#path(name), 'utf8')) as Member)
    } catch (error) {
      if (isAbsent(error)) return false
      if (error instanceof SyntaxError) return true // it is being written, or will not be touched any more
      throw error
    }
  }

  /** Removes the files of those that are gone. */
  async sweep (): Promise<void> {
    for await (const name of streamedNames(this.#directory)) if (!await this.isAlive(name)) await this.forget(name)
  }

  /** Nobody needs to know any more when it was alive. */
  async forget (name: string): Promise<void> {
    await unlink(this.#path(name)).catch(() => undefined)
  }

  #isGone ({ host, pid, startedMs }: Member): boolean {
    if (host !== this.#own.host) return false
    if (pid === this.#own.pid) return startedMs !== this.#own.startedMs
    try {
      process.kill(pid, 0)
      return false
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH'
    }
  }

  #path (name: string): string {
    return join(this.#directory, name)
  }
}

/** The name of the host, and the container where there is one: two may have one name, and each process 1. */
function hostOfProcesses (): string {
  const namespace = '/proc/self/ns/pid'
  return existsSync(namespace) ? `${hostname()} ${readlinkSync(namespace)}` : hostname() // only Linux has it
}
