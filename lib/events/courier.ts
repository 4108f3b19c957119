import { rename, unlink } from 'node:fs/promises'
import { isAbsent } from '../cache/disk-faults.ts'
import type { FileEvent } from '../writing/parts.ts'
import type { DeadLetters } from './dead-letters.ts'
import { DamagedMessage, readMessage, waitingName, withFacts } from './message-file.ts'
import type { Queue, QueuedMessage } from './queue.ts'
import type { EventsLog, Outcome, Receiver } from './receiver.ts'
import { settledWithin } from './within.ts'

/** The longest between two tries of one message, and the longest that a receiver may ask to be left alone, in milliseconds. */
export const MAX_RETRY_MS = 3_600_000
/** By how much a time to wait is drawn out at random: messages that failed together do not come back together. */
const JITTER = 0.25
/** Milliseconds until a receiver that is away as a whole, or a queue that cannot be read, is tried again. */
const AWAY_MS = 1000
/** Milliseconds that what is on its way has at the end. What is not answered by then is sent again at the next start. */
const CLOSE_MS = 1000

/** What a {@link Courier} needs. */
export interface CourierParts {
  readonly receiver: Receiver
  readonly queue: Queue
  readonly deadLetters: DeadLetters
  readonly log: EventsLog
  /** Puts a file aside that is no message. Never throws. */
  readonly putAside: (path: string, error: unknown) => Promise<void>
  /** What is there to tell of an event of which that was lost. */
  readonly resolve: (event: FileEvent) => Promise<Partial<FileEvent> | undefined>
}

/**
 * Brings the messages of one queue to one receiver: each is on disk until it is delivered, or a dead
 * letter. A message that fails does not hold up others, and may be overtaken by them.
 */
export class Courier {
  readonly #parts: CourierParts
  readonly #underWay = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #pausedUntilMs = 0
  #isLooking = false
  #isLookDue = false
  #isClosed = false
  /** Why the last try failed; undefined while all is well. */
  failure: string | undefined

  constructor (parts: CourierParts) {
    this.#parts = parts
  }

  /** Sends what is due. */
  wake (): void {
    this.#isLookDue = true
    if (!this.#isLooking) void this.#look()
  }

  /** Settles when nothing is on its way any more: what is, has a moment. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await settledWithin(CLOSE_MS, Promise.all(this.#underWay))
    await this.#parts.receiver.close()
    await Promise.all(this.#underWay)
  }

  async #look (): Promise<void> {
    this.#isLooking = true
    while (this.#isLookDue && !this.#isClosed) {
      this.#isLookDue = false
      try {
        await this.#fill()
      } catch (error) {
        this.#parts.log.warn({ receiver: this.#parts.receiver.name, err: error }, 'Events that wait cannot be read')
        this.#pausedUntilMs = Date.now() + AWAY_MS
      }
    }
    this.#isLooking = false
    this.#sleep()
  }

  async #fill (): Promise<void> {
    const { queue, receiver } = this.#parts
    while (!this.#isClosed && this.#underWay.size < receiver.concurrency) {
      await queue.load()
      const nowMs = Date.now()
      const next = nowMs < this.#pausedUntilMs ? undefined : queue.take(nowMs)
      if (next === undefined) return
      const sending = this.#send(next)
      this.#underWay.add(sending)
      void sending.finally(() => {
        this.#underWay.delete(sending)
        this.wake()
      })
    }
  }

  #sleep (): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const nowMs = Date.now()
    const dueMs = nowMs < this.#pausedUntilMs ? this.#pausedUntilMs : this.#parts.queue.dueAfter(nowMs)
    if (dueMs !== undefined) this.#timer = setTimeout(() => this.wake(), dueMs - nowMs).unref()
  }

  /** Never throws. */
  async #send (message: QueuedMessage): Promise<void> {
    const { queue, receiver, putAside, log } = this.#parts
    const path = queue.pathOf(message.name)
    let event: FileEvent
    try {
      event = await this.#read(path)
    } catch (error) {
      if (error instanceof DamagedMessage) await putAside(path, error)
      else if (!isAbsent(error)) return this.#later(message, { kind: 'away', reason: 'its message cannot be read' }) // absent: another process took it, and tells
      return queue.done(message)
    }
    const outcome = await receiver.deliver(event)
    try {
      await this.#settle(message, outcome)
    } catch (error) {
      // It stays on disk, and is sent once more after the next start.
      log.warn({ receiver: receiver.name, event: event.id, err: error }, 'What became of an event cannot be written down')
      queue.done(message)
    }
  }

  async #read (path: string): Promise<FileEvent> {
    const { event, isConfirmed } = await readMessage(path)
    if (isConfirmed) return event
    return withFacts(event, await this.#parts.resolve(event).catch(() => undefined) ?? {})
  }

  async #settle (message: QueuedMessage, outcome: Outcome): Promise<void> {
    const { queue, receiver, log } = this.#parts
    if (outcome.kind === 'delivered') {
      if (this.failure !== undefined) log.info({ receiver: receiver.name }, 'Events are delivered again')
      this.failure = undefined
      await unlink(queue.pathOf(message.name)).catch(passAbsent)
      return queue.done(message)
    }
    if (this.#isClosed) return queue.again(message) // it was cut off by us
    if (this.failure === undefined) log.warn({ receiver: receiver.name, reason: outcome.reason }, 'An event could not be delivered: it waits')
    this.failure = outcome.reason
    if (outcome.kind === 'away') return this.#later(message, outcome)
    const attempts = message.attempts + 1
    if (outcome.kind === 'refused' || attempts >= receiver.attempts) return await this.#bury(message, attempts, outcome.reason)
    const nowMs = Date.now()
    const pauseMs = Math.min(outcome.waitMs ?? 0, MAX_RETRY_MS)
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + pauseMs)
    const name = waitingName({ ...message, attempts, dueMs: nowMs + Math.max(pauseMs, retryMs(attempts, receiver.firstRetryMs)) })
    await rename(queue.pathOf(message.name), queue.pathOf(name))
    queue.again(message, name)
  }

  #later (message: QueuedMessage, { reason }: Extract<Outcome, { kind: 'away' }>): void {
    this.failure = reason
    this.#pausedUntilMs = Date.now() + AWAY_MS
    this.#parts.queue.again(message)
  }

  async #bury (message: QueuedMessage, attempts: number, failure: string): Promise<void> {
    const { queue, receiver, deadLetters, log } = this.#parts
    await deadLetters.bury(queue.pathOf(message.name), message.id, { receiver: receiver.name, attempts, failure, time: new Date().toISOString() })
    queue.done(message)
    log.warn({ receiver: receiver.name, event: message.id, attempts, reason: failure }, 'An event is a dead letter: dead-letters replay sends it again')
  }
}

/** Milliseconds until a message is sent again that failed so often. */
export function retryMs (failures: number, firstRetryMs: number): number {
  return Math.min(MAX_RETRY_MS, firstRetryMs * 2 ** (failures - 1) * (1 + Math.random() * JITTER))
}

function passAbsent (error: unknown): void {
  if (!isAbsent(error)) throw error
}
