import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { MediaError } from '../errors.ts'
import { EVERYTHING, tagName } from './purge-tags.ts'
import { markOf, MAX_MARKS, type PurgeLedger, type PurgeNews, type PurgeOutcome } from './purges.ts'
import type { RedisLink } from './redis-link.ts'
import { behindScript, purgeScript, syncScript } from './redis-scripts.ts'
import type { PurgePosition } from './redis-store.ts'

/** Milliseconds between two looks, for news that got lost. */
const LOOK_MS = 1000

/** Seconds without a look after which an instance is taken for dead. */
const ALIVE_S = 10

/** Milliseconds that a purge waits for other instances, and between two looks at them. */
const WAIT_MS = 2000
const WAIT_STEP_MS = 20

/** Milliseconds for all marks at once. */
const SYNC_MS = 1000

const CHANNEL = 'purged'
const everything = tagName(EVERYTHING)

/**
 * Purges in Redis: a hash of the last purge of each tag, numbered, and beside it the position
 * `epoch:number` that grows with each. News come by a channel; a position that is not the known one,
 * seen when a variant is read, on each connection and once a second, is caught up with. Where Redis
 * lost its marks a new epoch begins: it purges everything.
 */
export class RedisLedger implements PurgeLedger, PurgePosition {
  readonly redisKey: string
  readonly #link: RedisLink
  readonly #marksKey: string
  readonly #instancesKey: string
  readonly #instance = `${process.pid}-${randomBytes(8).toString('hex')}`
  readonly #waitMs: number
  #known = ''
  /** What Redis said at `#known`: numbers by tag, the epoch under an empty name. */
  #state: ReadonlyMap<string, string> = new Map()
  #tell: PurgeNews = () => undefined
  #catchingUp: Promise<void> | undefined
  #isDue = false
  #timer: NodeJS.Timeout | undefined
  #isOpen = false

  constructor (link: RedisLink, waitMs = WAIT_MS) {
    this.#link = link
    this.#waitMs = waitMs
    this.redisKey = `${link.prefix}purges:at`
    this.#marksKey = `${link.prefix}purges`
    this.#instancesKey = `${link.prefix}instances`
  }

  /** The position up to which purges are known here. */
  get known (): string {
    return this.#known
  }

  /** Never fails: until Redis is there nothing is read from it, and variants get names that nobody else has. */
  async open (tell: PurgeNews): Promise<void> {
    this.#isOpen = true
    this.#link.listen(CHANNEL, () => this.catchUp())
    this.#link.onReconnect(() => this.catchUp())
    await this.#look()
    this.#tell = tell
    tell(this.#known === '' ? new Map([[everything, newEpoch()]]) : marksOf(this.#state), [])
    this.#timer = setInterval(() => this.catchUp(), LOOK_MS).unref()
  }

  async add (tag: string): Promise<PurgeOutcome> {
    const at = await this.#link.run(async redis => await redis.call('EVAL', purgeScript, '2', this.redisKey, this.#marksKey, newEpoch(), tag, String(MAX_MARKS), `${this.#link.prefix}${CHANNEL}`))
    if (typeof at !== 'string') throw new MediaError('unavailable', { detail: 'Redis did not take the purge down' })
    await this.#look()
    return { behind: await this.#waitFor(at) }
  }

  catchUp (): void {
    void this.#look()
  }

  async close (): Promise<void> {
    this.#isOpen = false
    clearInterval(this.#timer)
    await this.#catchingUp
    await this.#link.run(async redis => await redis.hdel(this.#instancesKey, this.#instance))
  }

  /** Settles when all that was purged at the call is known, or Redis is gone. */
  async #look (): Promise<void> {
    this.#isDue = true
    while (this.#isDue) await (this.#catchingUp ??= this.#sync().finally(() => { this.#catchingUp = undefined }))
  }

  async #sync (): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false
      const answer = await this.#link.run(async redis => await redis.call('EVAL', syncScript, '3', this.redisKey, this.#marksKey, this.#instancesKey, newEpoch(), this.#isOpen ? this.#instance : '', this.#known, String(ALIVE_S * 2)), SYNC_MS)
      const [at, marks] = (answer ?? []) as [string?, string[]?]
      if (at === undefined || marks === undefined) continue
      this.#take(at, marks)
      this.#isDue = true // once more: that says to the others what is known now
    }
  }

  #take (at: string, pairs: readonly string[]): void {
    const before = this.#state
    const state = new Map<string, string>()
    for (let n = 0; n + 1 < pairs.length; n += 2) state.set(pairs[n] ?? '', pairs[n + 1] ?? '')
    this.#state = state
    this.#known = at
    const isNewEpoch = before.get('') !== state.get('')
    const tags = [...state.keys()].filter(tag => tag !== '' && (isNewEpoch || before.get(tag) !== state.get(tag)))
    this.#tell(marksOf(state), isNewEpoch ? [EVERYTHING, ...tags] : tags)
  }

  async #waitFor (at: string): Promise<string[]> {
    const end = performance.now() + this.#waitMs
    for (;;) {
      const behind = await this.#link.run(async redis => await redis.call('EVAL', behindScript, '1', this.#instancesKey, at, String(ALIVE_S))) as string[] | undefined
      if (behind === undefined) throw new MediaError('unavailable', { detail: 'Redis was lost while the instances took note of the purge' })
      if (behind.length === 0 || performance.now() >= end) return behind
      await wait(WAIT_STEP_MS)
    }
  }
}

/** Marks by the names of tags. The epoch begins each, so that none is ever given twice. */
function marksOf (state: ReadonlyMap<string, string>): Map<string, string> {
  const epoch = state.get('') ?? ''
  const marks = new Map([[everything, `${epoch}.${markOf(0)}`]])
  for (const [tag, count] of state) {
    if (tag !== '') marks.set(tagName(tag), `${epoch}.${markOf(Number(count))}`)
  }
  return marks
}

function newEpoch (): string {
  return randomBytes(12).toString('hex')
}
