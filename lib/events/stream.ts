import { RedisLink } from '../cache/redis-link.ts'
import type { EventsConfig } from '../config/writing-schema.ts'
import type { FileEvent } from '../writing/parts.ts'
import { messageOf, type EventsLog, type Outcome, type Receiver } from './receiver.ts'

type StreamConfig = NonNullable<EventsConfig['stream']>

/** Milliseconds that an entry may take: nobody waits for it. */
const ADD_MS = 5000

/** A Redis that is not there does not keep the app from starting: messages wait. */
export async function openStream (config: StreamConfig, log: EventsLog): Promise<EventStream> {
  const link = await RedisLink.open({ url: config.redis, onFault: fault => log.warn({ err: fault }, 'The stream of events has a fault') })
  return new EventStream(config, link)
}

/**
 * A Redis stream. Entries have three fields: `id` and `type` of the event, and `event`, which is what webhooks
 * get. They are added one after the other, in the order in which this process learned of them; where Redis is
 * away, or refuses, they wait for as long as that takes. One whose receipt was lost comes twice.
 */
export class EventStream implements Receiver {
  readonly name = 'stream'
  readonly concurrency = 1
  readonly attempts = Infinity
  readonly firstRetryMs = 0
  readonly #config: StreamConfig
  readonly #link: RedisLink

  /** @param link closed with the stream */
  constructor (config: StreamConfig, link: RedisLink) {
    this.#config = config
    this.#link = link
  }

  wants (): boolean {
    return true
  }

  async deliver (event: FileEvent): Promise<Outcome> {
    const { key, maxLength } = this.#config
    const added = await this.#link.run(async redis => await redis.xadd(key, 'MAXLEN', '~', maxLength, '*', 'id', event.id, 'type', event.type, 'event', messageOf(event)), ADD_MS)
    return added === undefined ? { kind: 'away', reason: 'Redis does not take it' } : { kind: 'delivered' }
  }

  async close (): Promise<void> {
    await this.#link.close()
  }
}
