import { rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent } from '../cache/disk-faults.ts'
import { REPLAYED, type EventsLayout } from './layout.ts'
import type { Members } from './members.ts'
import { DamagedMessage, readWaitingName } from './message-file.ts'
import type { Addressee, Outbox } from './outbox.ts'
import type { EventsLog } from './receiver.ts'
import { streamedNames } from './streamed-names.ts'

/** What a {@link Takeover} needs. */
export interface TakeoverParts {
  readonly layout: EventsLayout
  readonly members: Members
  readonly outbox: Outbox
  readonly addressees: readonly Addressee[]
  readonly log: EventsLog
}

/**
 * Takes what instances have left behind that are gone, and dead letters that are to be sent again: each
 * file by a rename, so that of several instances one has it. What waits for a receiver that this one
 * does not know stays, for one that does.
 */
export class Takeover {
  readonly #parts: TakeoverParts
  readonly #told = new Set<string>()

  constructor (parts: TakeoverParts) {
    this.#parts = parts
  }

  /** @throws as the file system does */
  async look (): Promise<void> {
    const { layout, members, outbox } = this.#parts
    for await (const instance of streamedNames(layout.outboxes)) {
      if (instance === members.name || (instance !== REPLAYED && await members.isAlive(instance))) continue
      await this.#take(instance)
    }
    await outbox.settle()
  }

  async #take (instance: string): Promise<void> {
    const { layout, members, outbox, addressees } = this.#parts
    for await (const name of streamedNames(layout.intents(instance))) {
      const path = join(layout.intents(members.name), name)
      if (await claimed(join(layout.intents(instance), name), path)) outbox.adopt(path)
    }
    for await (const receiver of streamedNames(layout.queues(instance))) {
      const addressee = addressees.find(each => each.receiver.name === receiver)
      if (addressee !== undefined) await this.#takeQueue(layout.queue(instance, receiver), addressee)
      else await this.#leaveQueue(layout.queue(instance, receiver), receiver)
    }
    if (instance !== REPLAYED) await this.#clear(instance)
  }

  async #takeQueue (directory: string, { queue, wake }: Addressee): Promise<void> {
    let taken = 0
    for await (const name of streamedNames(directory)) {
      const path = join(directory, name)
      if (readWaitingName(name) === undefined) await this.#parts.outbox.putAside(path, new DamagedMessage('Its name is none of a message'))
      else if (await claimed(path, queue.pathOf(name))) {
        taken++
        queue.offer(name)
      }
    }
    if (taken > 0) wake()
  }

  async #leaveQueue (directory: string, receiver: string): Promise<void> {
    if (this.#told.has(receiver)) return
    for await (const _ of streamedNames(directory)) {
      this.#told.add(receiver)
      return this.#parts.log.warn({ receiver, directory }, 'Events wait for a receiver that is no longer in the configuration')
    }
  }

  /** What is empty goes; what somebody put there stays. */
  async #clear (instance: string): Promise<void> {
    const { layout, members } = this.#parts
    await rm(layout.aside(instance), { recursive: true, force: true })
    for await (const receiver of streamedNames(layout.queues(instance))) await rmdir(layout.queue(instance, receiver)).catch(() => undefined)
    for (const directory of [layout.queues(instance), layout.intents(instance), join(layout.outboxes, instance)]) await rmdir(directory).catch(() => undefined)
    await members.forget(instance)
  }
}

/** Whether this process has the file now; else another one took it. */
async function claimed (from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
