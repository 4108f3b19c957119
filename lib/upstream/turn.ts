import { MediaError } from '../errors.ts'
import type { Attempt } from './attempt.ts'
import type { UpstreamRequest } from './message.ts'
import type { Origin, OriginLease, Origins } from './origins.ts'
import type { Places } from './places.ts'

/** Connections to one origin. */
export interface Line {
  readonly places: Places
  dispatch (request: UpstreamRequest, attempt: Attempt): void
}

/** Where turns are taken. */
export interface TurnContext {
  /** The upstream's. */
  readonly name: string
  readonly origins: Origins
  /** Milliseconds that a request may wait for a connection. */
  readonly maxWaitMs: number
  lineTo (origin: Origin): Line
}

/** An origin and a place among its connections, for one attempt. */
export class Turn {
  readonly #lease: OriginLease
  readonly #line: Line
  #hasPlace = false
  #isOver = false
  #leave: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  /** @throws {MediaError} `upstream-unavailable` */
  constructor (context: TurnContext, tried: ReadonlySet<Origin> | undefined) {
    this.#lease = context.origins.lease(tried)
    this.#line = context.lineTo(this.#lease.origin)
  }

  get origin (): Origin {
    return this.#lease.origin
  }

  /**
   * Calls `enter` when there is a place: at once, or in turn.
   *
   * @param refuse told `upstream-busy` where too many wait, or none becomes free in time
   */
  take ({ name, maxWaitMs }: TurnContext, enter: (line: Line) => void, refuse: (error: MediaError) => void): void {
    const { places } = this.#line
    const begin = (): void => {
      this.#hasPlace = true
      this.#stopWaiting()
      enter(this.#line)
    }
    if (places.take()) return begin()
    const full = (): void => refuse(new MediaError('upstream-busy', { detail: `Too many requests wait for the upstream ${name}`, headers: { 'retry-after': '1' }, context: { upstream: name } }))
    this.#leave = places.wait(begin)
    if (this.#leave === undefined) full()
    else this.#timer = setTimeout(full, maxWaitMs)
  }

  /** The head of an answer is there. */
  answered (): void {
    this.#lease.answered()
  }

  /** Gives both back; again is harmless. */
  end (outcome: 'good' | 'bad' | 'neutral'): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWaiting()
    this.#lease.end(outcome)
    if (this.#hasPlace) this.#line.places.leave()
  }

  #stopWaiting (): void {
    clearTimeout(this.#timer)
    this.#leave?.()
    this.#leave = undefined
  }
}
