import type { Redis } from 'ioredis'
import { StoreFaults } from './store-faults.ts'
import type { OnStoreFault } from './store.ts'

/** Which Redis, and how patiently. */
export interface RedisLinkOptions {
  /** `redis://host:port/db`, `rediss://` for TLS. */
  url: string
  /** Begins every key and channel, so that several services may share one Redis. */
  prefix?: string | undefined
  /** Milliseconds that a command may take. */
  commandMs?: number | undefined
  onFault?: OnStoreFault | undefined
}

/** Milliseconds that a command may take, where nothing else is said. */
const COMMAND_MS = 200

/** Milliseconds without commands after one got no answer; then one tries. */
const OPEN_MS = 1000

/** Milliseconds to connect, and the longest between two tries to. */
const CONNECT_MS = 1000

/**
 * Two connections to one Redis, for commands and for news. Where it is gone, slow or silent every
 * command comes to nothing within a bounded time, and for a second none is sent; it reconnects by
 * itself. One Redis with replicas at most: scripts use several keys at once, which a cluster refuses.
 */
export class RedisLink {
  readonly prefix: string
  readonly #redis: Redis
  readonly #news: Redis
  readonly #commandMs: number
  readonly #faults: StoreFaults
  #openUntil = 0
  #isProbing = false
  #closed = false

  private constructor (redis: Redis, news: Redis, options: RedisLinkOptions) {
    this.#redis = redis
    this.#news = news
    this.prefix = options.prefix ?? 'fastify-media:'
    this.#commandMs = options.commandMs ?? COMMAND_MS
    this.#faults = new StoreFaults(options.onFault)
    for (const connection of [redis, news]) {
      connection.on('error', error => this.report('Redis cannot be reached', error))
      connection.connect().catch(() => undefined) // told by the event, and tried again
    }
  }

  /** Settles once it is connected, or has not been within a second. Loads the client, which nobody else needs. */
  static async open (options: RedisLinkOptions): Promise<RedisLink> {
    const { Redis: Client } = await import('ioredis')
    const redis = new Client(options.url, {
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      socketTimeout: CONNECT_MS * 10, // a peer that vanished without a word; slow commands may take as long
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      reconnectOnError: error => error.message.startsWith('READONLY'), // a replica now: its name may lead to another host
      retryStrategy: tries => Math.min(25 * 2 ** Math.min(tries, 10), CONNECT_MS)
    })
    const news = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null })
    const link = new RedisLink(redis, news, options)
    await link.#connected()
    return link
  }

  /**
   * Runs a command.
   *
   * @param limitMs how long it may take, where that is more than usual
   * @returns undefined where Redis did not answer in time, or refused; null is what Redis says of what it does not have
   */
  async run<T> (command: (redis: Redis) => Promise<T>, limitMs = this.#commandMs): Promise<T | undefined> {
    if (this.#redis.status !== 'ready' || this.#isProbing || performance.now() < this.#openUntil) return undefined
    const isProbe = this.#openUntil > 0
    this.#isProbing = isProbe
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('Redis did not answer in time')), limitMs)
      })
      const answer = await Promise.race([command(this.#redis), late])
      if (isProbe) this.#openUntil = 0
      return answer
    } catch (error) {
      this.#fail(error)
      return undefined
    } finally {
      clearTimeout(timer)
      if (isProbe) this.#isProbing = false
    }
  }

  /** Called with every message of a channel, from now on and after each reconnection. */
  listen (channel: string, onMessage: (message: string) => void): void {
    const name = `${this.prefix}${channel}`
    this.#news.on('message', (from: string, message: string) => {
      if (from === name) onMessage(message)
    })
    this.#news.subscribe(name).catch((error: unknown) => this.report('Redis tells no news', error))
  }

  /** Called after each connection, the first one excepted. */
  onReconnect (action: () => void): void {
    this.#redis.on('ready', action)
    this.#news.on('ready', action)
  }

  report (what: string, cause?: unknown): void {
    if (!this.#closed) this.#faults.report(what, cause)
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#redis.disconnect()
    this.#news.disconnect()
  }

  #fail (error: unknown): void {
    this.report('Redis failed', error)
    if (error instanceof Error && error.name === 'ReplyError') { // it is there, and says what it dislikes
      this.#openUntil = 0
      return
    }
    const wasOpen = performance.now() < this.#openUntil
    this.#openUntil = performance.now() + OPEN_MS
    // What waits behind the command that was not answered would pile up, with the bytes it carries.
    if (!wasOpen && this.#redis.status === 'ready') this.#redis.disconnect(true)
  }

  async #connected (): Promise<void> {
    if (this.#redis.status === 'ready') return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, CONNECT_MS)
      this.#redis.once('ready', () => { clearTimeout(timer); resolve() })
    })
  }
}
