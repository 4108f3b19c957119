import { mkdir } from 'node:fs/promises'
import { ConfigError } from '../config/mistakes.ts'
import type { Config } from '../config/schema.ts'
import type { FileEvent, FileEvents, PendingEvent } from '../writing/parts.ts'
import { Courier } from './courier.ts'
import { DeadLetters } from './dead-letters.ts'
import { EventsLayout, REPLAYED } from './layout.ts'
import { Listeners, type FileEventListener } from './listeners.ts'
import { Members } from './members.ts'
import { withFacts } from './message-file.ts'
import { Outbox, type Addressee } from './outbox.ts'
import { Queue } from './queue.ts'
import type { EventsLog, Receiver } from './receiver.ts'
import { Takeover } from './takeover.ts'
import { settledWithin } from './within.ts'

export type { FileEventListener } from './listeners.ts'
export type { EventsLog } from './receiver.ts'

/** Milliseconds between two looks at what others have left behind, and between two signs of life. */
const LOOK_MS = 1000
/** Looks between two counts of dead letters: others may add and remove some. */
const LOOKS_PER_COUNT = 15
/** Milliseconds that a look has at the end: it may be asking a source that does not answer. */
const CLOSE_MS = 1000

/** What stands around events. */
export interface EventsSurroundings {
  readonly log: EventsLog
  /**
   * Whether an event happened, and what there is to tell of it: asked after a crash of what was announced
   * and neither confirmed nor dropped. Where it throws it is asked again.
   */
  readonly resolve: (event: FileEvent) => Promise<Partial<FileEvent> | undefined>
}

/** How it stands with who is told. */
export interface ReceiverState {
  /** Messages that this instance has not delivered yet. */
  readonly waiting: number
  /** Messages that were given up, by any instance; counted now and then. */
  readonly dead: number
  /** Why the last try failed; undefined while all is well. */
  readonly failure: string | undefined
}

/** Tells what happens to files. */
export interface Events extends FileEvents {
  /** Has a function called for each event, in this process alone. What is returned ends that. */
  on (listener: FileEventListener): () => void
  /** By the names of receivers, `webhooks.search` or `stream`: a list of one each. */
  state (): Record<string, readonly ReceiverState[]>
  /** Stops telling. What waits stays on disk, and is sent after the next start. */
  close (): Promise<void>
}

/**
 * Opens what files are told of. What an earlier process has left behind is taken over in the background.
 *
 * @throws {ConfigError} where messages have to be kept and `uploads.directory` cannot be used
 */
export async function openEvents ({ events, uploads }: Pick<Config, 'events' | 'uploads'>, surroundings: EventsSurroundings): Promise<Events> {
  const listeners = new Listeners(surroundings.log)
  const receivers = await receiversOf({ events }, surroundings.log)
  if (receivers.length === 0) return localEvents(listeners)
  try {
    return await DurableEvents.open({ directory: uploads.directory, receivers, listeners, ...surroundings })
  } catch (error) {
    await Promise.all(receivers.map(async receiver => await receiver.close()))
    throw new ConfigError([{ path: 'uploads.directory', message: `Expected a directory in which events can wait, but that failed: ${(error as Error).message}` }])
  }
}

async function receiversOf ({ events: { webhooks, stream } }: Pick<Config, 'events'>, log: EventsLog): Promise<Receiver[]> {
  const entries = Object.entries(webhooks)
  const { openWebhook } = entries.length > 0 ? await import('./webhooks.ts') : {} // undici is loaded where it is needed alone
  const { openStream } = stream !== undefined ? await import('./stream.ts') : {}
  const hooks = await Promise.all(entries.map(async ([name, config]) => await openWebhook?.({ name, config, log })))
  return [...hooks, stream === undefined ? undefined : await openStream?.(stream, log)].filter(receiver => receiver !== undefined)
}

/** Nobody is told outside this process: nothing is written down. */
function localEvents (listeners: Listeners): Events {
  return {
    announce: async event => pendingInMemory(event, listeners),
    on: listener => listeners.add(listener),
    state: () => ({}),
    async close () { /* nothing goes on */ }
  }
}

function pendingInMemory (event: FileEvent, listeners: Listeners): PendingEvent {
  let isOver = false
  return {
    async confirm (facts) {
      if (isOver) return
      isOver = true
      listeners.tell(withFacts(event, facts))
    },
    async drop () { isOver = true }
  }
}

interface DurableOptions extends EventsSurroundings {
  readonly directory: string
  readonly receivers: readonly Receiver[]
  readonly listeners: Listeners
}

/** Events that are kept on disk until everybody knows of them. */
class DurableEvents implements Events {
  readonly #listeners: Listeners
  readonly #log: EventsLog
  readonly #layout: EventsLayout
  readonly #members: Members
  readonly #deadLetters: DeadLetters
  readonly #couriers: ReadonlyMap<Receiver, Courier>
  readonly #addressees: readonly Addressee[]
  readonly #outbox: Outbox
  readonly #takeover: Takeover
  #looking: Promise<void> = Promise.resolve()
  #isLooking = false
  #looks = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  private constructor ({ directory, receivers, listeners, log, resolve }: DurableOptions) {
    this.#listeners = listeners
    this.#log = log
    const layout = this.#layout = new EventsLayout(directory)
    const members = this.#members = new Members(layout.alive)
    const deadLetters = this.#deadLetters = new DeadLetters(layout)
    const queues = new Map(receivers.map(receiver => [receiver, new Queue(layout.queue(members.name, receiver.name))]))
    this.#addressees = [...queues].map(([receiver, queue]) => ({ receiver, queue, wake: () => this.#couriers.get(receiver)?.wake() }))
    const outbox = this.#outbox = new Outbox({ layout, instance: members.name, addressees: this.#addressees, log, resolve, tell: event => listeners.tell(event) })
    this.#couriers = new Map([...queues].map(([receiver, queue]) => [receiver, new Courier({ receiver, queue, deadLetters, log, resolve, putAside: async (path, error) => await outbox.putAside(path, error) })]))
    this.#takeover = new Takeover({ layout, members, outbox, addressees: this.#addressees, log })
  }

  /** @throws as the file system does */
  static async open (options: DurableOptions): Promise<DurableEvents> {
    const events = new DurableEvents(options)
    await events.#members.join() // before it has anything: until then it would be taken for dead
    await events.#outbox.make()
    for (const { receiver: { name } } of events.#addressees) await mkdir(events.#layout.queue(REPLAYED, name), { recursive: true, mode: 0o700 }) // as whom the server runs, not who replays
    events.#look()
    events.#timer = setInterval(() => events.#look(), LOOK_MS).unref()
    return events
  }

  async announce (event: FileEvent): Promise<PendingEvent> {
    // What is announced as created may turn out to have replaced something.
    const mayWant = ({ receiver }: Addressee): boolean => receiver.wants(event) || (event.type === 'file.created' && receiver.wants({ ...event, type: 'file.replaced' }))
    return this.#addressees.some(mayWant) ? await this.#outbox.announce(event) : pendingInMemory(event, this.#listeners)
  }

  on (listener: FileEventListener): () => void {
    return this.#listeners.add(listener)
  }

  state (): Record<string, readonly ReceiverState[]> {
    return Object.fromEntries(this.#addressees.map(({ receiver, queue }) => [receiver.name, [{ waiting: queue.count, dead: this.#deadLetters.countOf(receiver.name), failure: this.#couriers.get(receiver)?.failure }]]))
  }

  async close (): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await settledWithin(CLOSE_MS, this.#looking)
    await Promise.all([...this.#couriers.values()].map(async courier => await courier.close()))
    await this.#members.leave()
  }

  /** One look at a time. */
  #look (): void {
    if (this.#isLooking) return
    this.#isLooking = true
    this.#looking = this.#lookAround().finally(() => { this.#isLooking = false })
  }

  async #lookAround (): Promise<void> {
    try {
      await this.#members.beat()
      if (this.#looks % LOOKS_PER_COUNT === 0) for (const { receiver } of this.#addressees) await this.#deadLetters.count(receiver.name)
      await this.#takeover.look()
      if (this.#looks++ % LOOKS_PER_COUNT === 0) await this.#members.sweep()
    } catch (error) {
      if (!this.#isClosed) this.#log.warn({ err: error }, 'The outbox of events cannot be looked at')
    }
  }
}
