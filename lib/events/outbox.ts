import { constants } from 'node:fs'
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isAbsent } from '../cache/disk-faults.ts'
import { writeAside } from '../cache/disk-write.ts'
import { MediaError } from '../errors.ts'
import { fileFault } from '../sources/file-faults.ts'
import type { FileEvent, FileEvents, PendingEvent } from '../writing/parts.ts'
import { DirectorySync } from './directory-sync.ts'
import { Intent } from './intent.ts'
import type { EventsLayout } from './layout.ts'
import { addLine, DamagedMessage, isId, lineOf, readMessage, subjectOf, waitingName, withFacts } from './message-file.ts'
import type { Queue } from './queue.ts'
import type { EventsLog, Receiver } from './receiver.ts'

// EXCL, NOFOLLOW: never through what someone else put there.
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** A receiver, and what waits for it. */
export interface Addressee {
  readonly receiver: Receiver
  readonly queue: Queue
  /** Something waits that did not. */
  readonly wake: () => void
}

/** What an {@link Outbox} needs. */
export interface OutboxParts {
  readonly layout: EventsLayout
  /** Whose it is. */
  readonly instance: string
  readonly addressees: readonly Addressee[]
  readonly log: EventsLog
  /** Whether an event happened, and what there is to tell of it: asked where the process ended before that was written down. */
  readonly resolve: (event: FileEvent) => Promise<Partial<FileEvent> | undefined>
  /** Hears of what happened. Never throws. */
  readonly tell: (event: FileEvent) => void
}

/**
 * What this process has to tell, on disk. An event is written down before it happens and flushed; once it
 * happened that is added, and the file becomes the message of a receiver. Of that nothing has to be
 * flushed: what a power loss takes of it is asked for again, since it is still known that it may have happened.
 */
export class Outbox implements FileEvents {
  readonly #parts: OutboxParts
  readonly #intents: string
  readonly #aside: string
  readonly #flush: DirectorySync
  /** Files of events of which it is not known yet whether they happened, and nobody here will say. */
  readonly #unsettled = new Set<string>()
  #lastMs = 0

  constructor (parts: OutboxParts) {
    this.#parts = parts
    this.#intents = parts.layout.intents(parts.instance)
    this.#aside = parts.layout.aside(parts.instance)
    this.#flush = new DirectorySync(this.#intents)
  }

  /** Makes its directories. @throws as the file system does */
  async make (): Promise<void> {
    for (const directory of [this.#intents, this.#aside, this.#parts.layout.damaged]) await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const { queue } of this.#parts.addressees) await queue.make()
  }

  /** @throws {MediaError} `insufficient-storage`, `out-of-descriptors`; `unavailable` where the directory cannot be written to for another reason */
  async announce (event: FileEvent): Promise<PendingEvent> {
    if (!isId(event.id)) throw new TypeError('Expected an event with a UUID for its id')
    const path = join(this.#intents, event.id)
    try {
      await this.#write(path, lineOf({ event }))
      return new Intent({ event, path, log: this.#parts.log, give: async (happened, from) => await this.give(happened, from) })
    } catch (error) {
      const fault = await fileFault(error, path)
      if (fault.code === 'insufficient-storage' || fault.code === 'out-of-descriptors') throw fault
      throw new MediaError('unavailable', { cause: error, context: { reason: 'the event cannot be written down', path } })
    }
  }

  /**
   * Gives an event that happened to all who want it. Never throws: what cannot be given now stays where
   * it was written down.
   *
   * @param path where it was written down
   */
  async give (event: FileEvent, path: string): Promise<void> {
    const wanting = this.#parts.addressees.filter(({ receiver }) => receiver.wants(event))
    const name = waitingName({ dueMs: this.#nextMs(), attempts: 0, subject: subjectOf(event), id: event.id })
    try {
      await this.#distribute({ event, path, name }, wanting).catch(async (error: unknown) => {
        if (!isAbsent(error)) throw error
        // Somebody removed the directory, or took this process for dead: then it may be told twice, but it is told.
        await this.make()
        await this.#write(path, wholeOf(event))
        await this.#distribute({ event, path, name }, wanting)
      })
    } catch (error) {
      this.#unsettled.add(path)
      this.#parts.log.warn({ err: error, event: event.id }, 'An event cannot be given to who is to be told: it is tried again')
      return
    }
    this.#parts.tell(event)
    for (const { queue, wake } of wanting) {
      queue.offer(name)
      wake()
    }
  }

  /** Takes over what an instance that is gone had written down, or what could not be given. */
  adopt (path: string): void {
    this.#unsettled.add(path)
  }

  /** Finds out what became of what was adopted. Never throws: what cannot be found out now, is tried again. */
  async settle (): Promise<void> {
    for (const path of this.#unsettled) {
      try {
        this.#unsettled.delete(path)
        await this.#settleOne(path)
      } catch (error) {
        this.#unsettled.add(path)
        this.#parts.log.warn({ err: error, event: basename(path) }, 'It is not known yet whether an event happened: it is tried again')
        return // the others would fail likewise
      }
    }
  }

  /** Puts a file aside that is no message. Never throws. */
  async putAside (path: string, error: unknown): Promise<void> {
    const aside = join(this.#parts.layout.damaged, `${Date.now()}.${basename(path).slice(0, 128)}`)
    this.#parts.log.warn({ err: error, path: aside }, 'A file in the outbox of events is damaged: it is put aside')
    await rename(path, aside).catch(() => undefined)
  }

  async #settleOne (path: string): Promise<void> {
    let event: FileEvent
    try {
      const message = await readMessage(path)
      const facts = message.isConfirmed ? {} : await this.#parts.resolve(message.event)
      if (facts === undefined) return await unlink(path)
      event = withFacts(message.event, facts)
      if (!message.isConfirmed) await addLine(path, { happened: facts }, { isFlushed: false })
    } catch (error) {
      if (isAbsent(error)) return // another process took it
      if (error instanceof DamagedMessage) return await this.putAside(path, error)
      throw error
    }
    await this.give(event, path)
  }

  /** Now, but after all that was given before. */
  #nextMs (): number {
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 0.001)
    return this.#lastMs
  }

  /** The first takes the file itself, last: until then the event is found where it was written down. */
  async #distribute ({ event, path, name }: { event: FileEvent, path: string, name: string }, [first, ...others]: readonly Addressee[]): Promise<void> {
    if (first === undefined) return await unlink(path)
    for (const { queue } of others) await writeAside({ aside: this.#aside, path: queue.pathOf(name), parts: [Buffer.from(wholeOf(event))], isFlushed: true })
    await rename(path, first.queue.pathOf(name))
  }

  /** A new file that is on disk, as its name is. */
  async #write (path: string, text: string): Promise<void> {
    const file = await open(path, WRITE_FLAGS, 0o600).catch(async (error: unknown) => {
      if (!isAbsent(error)) throw error
      await this.make()
      return await open(path, WRITE_FLAGS, 0o600)
    })
    try {
      await file.writeFile(text)
      await file.datasync()
      await this.#flush.flush()
    } catch (error) {
      await unlink(path).catch(() => undefined)
      throw error
    } finally {
      await file.close()
    }
  }
}

function wholeOf (event: FileEvent): string {
  return lineOf({ event }) + lineOf({ happened: {} })
}
