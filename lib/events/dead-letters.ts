import { mkdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { EventsLayout, REPLAYED } from './layout.ts'
import { addLine, readMessage, subjectOf, waitingName, type Death, type Message } from './message-file.ts'
import { streamedNames } from './streamed-names.ts'

/** A message that was given up. */
export interface DeadLetter {
  readonly receiver: string
  /** Of its event. */
  readonly id: string
  /** What it says; undefined where that cannot be read. */
  readonly message: Message | undefined
  /** When it died, in milliseconds since the epoch. */
  readonly diedMs: number
  readonly path: string
}

/** Messages that were given up: files that stay until somebody sends them again, or removes them. */
export class DeadLetters {
  readonly #layout: EventsLayout
  readonly #counts = new Map<string, number>()

  constructor (layout: EventsLayout) {
    this.#layout = layout
  }

  /** How many there were of a receiver when they were counted, and those that died here since. */
  countOf (receiver: string): number {
    return this.#counts.get(receiver) ?? 0
  }

  /** @throws as the file system does; so does all below */
  async count (receiver: string): Promise<void> {
    let count = 0
    for await (const _ of streamedNames(this.#layout.deadOf(receiver))) count++
    this.#counts.set(receiver, count)
  }

  /** Makes a message a dead letter. */
  async bury (path: string, id: string, death: Death): Promise<void> {
    const directory = this.#layout.deadOf(death.receiver)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await addLine(path, { dead: death }, { isFlushed: true })
    await rename(path, join(directory, `${Date.parse(death.time).toString().padStart(15, '0')}.${id}`))
    this.#counts.set(death.receiver, this.countOf(death.receiver) + 1)
  }

  /** All of them, or those of one receiver: by receivers, the oldest first. One at a time is read. */
  async * list (receiver?: string): AsyncGenerator<DeadLetter> {
    const receivers = (await namesIn(this.#layout.dead)).filter(name => receiver === undefined || name === receiver)
    for (const each of receivers) {
      for (const name of await namesIn(this.#layout.deadOf(each))) {
        const [, died, id] = /^(\d{15})\.([\w-]{1,64})$/.exec(name) ?? []
        if (id === undefined) continue // none of ours
        const path = join(this.#layout.deadOf(each), name)
        yield { receiver: each, id, diedMs: Number(died), path, message: await readMessage(path).catch(() => undefined) }
      }
    }
  }

  /** Has it sent again, by whichever server is running or starts. It has all its attempts anew. */
  async replay ({ receiver, id, path, message }: DeadLetter): Promise<void> {
    const directory = this.#layout.queue(REPLAYED, receiver)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const subject = message === undefined ? '00000000' : subjectOf(message.event)
    await rename(path, join(directory, waitingName({ dueMs: Date.now(), attempts: 0, subject, id })))
  }

  async remove ({ path }: DeadLetter): Promise<void> {
    await unlink(path)
  }
}

/** In order. Of many dead letters the names are held at once, which list alone asks for. */
async function namesIn (directory: string): Promise<string[]> {
  const names: string[] = []
  for await (const name of streamedNames(directory)) names.push(name)
  return names.toSorted()
}
