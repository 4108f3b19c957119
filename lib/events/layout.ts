import { join } from 'node:path'

/** Where messages lie that were dead and are to be sent again. Nobody's: whoever is alive takes them. */
export const REPLAYED = 'replayed'

/**
 * The directory of events: each process has an outbox of its own in it, which nobody else touches while it is alive.
 *
 * ```
 * alive/<instance>                          who is alive
 * outboxes/<instance>/intents/<event>       what may be happening
 * outboxes/<instance>/aside/                what is not finished
 * outboxes/<instance>/queues/<receiver>/    what waits for a receiver
 * outboxes/replayed/queues/<receiver>/      dead letters that are to be sent again
 * dead/<receiver>/                          dead letters
 * damaged/                                  what could not be read
 * ```
 */
export class EventsLayout {
  readonly alive: string
  readonly outboxes: string
  readonly damaged: string
  readonly dead: string

  /** @param uploads `uploads.directory` */
  constructor (uploads: string) {
    const root = join(uploads, 'events')
    this.alive = join(root, 'alive')
    this.outboxes = join(root, 'outboxes')
    this.damaged = join(root, 'damaged')
    this.dead = join(root, 'dead')
  }

  /** The dead letters of a receiver. */
  deadOf (receiver: string): string {
    return join(this.dead, receiver)
  }

  intents (instance: string): string {
    return join(this.outboxes, instance, 'intents')
  }

  aside (instance: string): string {
    return join(this.outboxes, instance, 'aside')
  }

  queues (instance: string): string {
    return join(this.outboxes, instance, 'queues')
  }

  queue (instance: string, receiver: string): string {
    return join(this.queues(instance), receiver)
  }
}
