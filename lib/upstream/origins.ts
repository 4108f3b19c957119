import { MediaError } from '../errors.ts'
import { Circuit, type CircuitOptions, type Outcome } from './circuit.ts'
import { Peer, type Origin, type OriginOptions, type OriginPosition, type OriginState } from './peer.ts'

export type { Origin, OriginOptions, OriginPosition, OriginState } from './peer.ts'

/** An origin that is now otherwise than before. */
export interface OriginEvent extends OriginState {
  readonly before: OriginPosition
}

/** The right to send one request. */
export interface OriginLease {
  readonly origin: Origin
  /** The head of an answer came: an origin on trial is back, whatever time the body takes. May be left out. */
  answered (): void
  /** Once, when the exchange has ended; what comes after the first is not counted. */
  end (outcome: Outcome): void
}

/** The servers of an upstream, and how requests are shared among them. */
export interface OriginsOptions {
  /** The upstream's. */
  readonly name: string
  readonly origins: readonly OriginOptions[]
  /** Each in turn, or who has the fewest under way; both by weight. */
  readonly balance: 'round-robin' | 'least-pending'
  /** Failures in a row that take an origin out. */
  readonly ejectAfter: number
  /** Milliseconds until one request tries it again. */
  readonly ejectMs: number
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number
  /** Told of each origin that comes, goes or is tried: for the log. It must not throw. */
  readonly onChange?: (event: OriginEvent) => void
}

/** Seconds told to a client where nobody knows when: all that is left is draining, or unwell by a health check. */
const UNKNOWN_RETRY_SECONDS = 5

class Lease implements OriginLease {
  readonly origin: Peer
  readonly #turn: number
  readonly #note: (peer: Peer) => void
  #ended = false

  constructor (peer: Peer, note: (peer: Peer) => void) {
    this.origin = peer
    this.#turn = peer.circuit.pass()
    this.#note = note
    peer.pending++
  }

  answered (): void {
    if (this.#ended) return
    this.origin.circuit.trust(this.#turn)
    this.#note(this.origin)
  }

  end (outcome: Outcome): void {
    if (this.#ended) return
    this.#ended = true
    this.origin.pending--
    this.origin.circuit.settle(this.#turn, outcome)
    this.#note(this.origin)
  }
}

/**
 * Shares requests among the servers of an upstream, leaves out those that fail, are unwell or
 * drain, and lets one request try those that failed when their time is over. Where none is left
 * the request is refused, rather than sent to one that is known to fail.
 */
export class Origins {
  readonly #name: string
  readonly #peers: readonly Peer[]
  readonly #leastPending: boolean
  readonly #onChange: ((event: OriginEvent) => void) | undefined
  readonly #noteChange = (peer: Peer): void => this.#note(peer)

  constructor ({ name, origins, balance, ejectAfter, ejectMs, now = () => performance.now(), onChange }: OriginsOptions) {
    const circuit: CircuitOptions = { ejectAfter, ejectMs, now }
    this.#name = name
    this.#peers = origins.map((origin, index) => new Peer(origin, `${name}[${index}]`, new Circuit(circuit)))
    this.#leastPending = balance === 'least-pending'
    this.#onChange = onChange
  }

  /** In the order of the configuration. */
  get all (): readonly Origin[] {
    return this.#peers
  }

  /**
   * The origin for the next request.
   *
   * @param tried origins that are left out where there is another
   * @throws {MediaError} `upstream-unavailable` with `Retry-After`: the seconds until the first may be tried again
   */
  lease (tried?: ReadonlySet<Origin>): OriginLease {
    let peer = this.#next(tried)
    if (peer === undefined && tried !== undefined && tried.size > 0) peer = this.#next(undefined)
    if (peer === undefined) throw this.#unavailable()
    const lease = new Lease(peer, this.#noteChange)
    this.#note(peer)
    return lease
  }

  /** What an active check found. An origin found well may be tried at once by a request. */
  setHealth (origin: Origin, healthy: boolean): void {
    const peer = this.#peers.find(one => one === origin)
    if (peer === undefined || peer.healthy === healthy) return
    peer.healthy = healthy
    if (healthy) peer.circuit.retryNow()
    this.#note(peer)
  }

  /**
   * From now on an origin gets no new requests, or gets them again; those under way go on.
   *
   * @throws {RangeError} where no origin has this label
   */
  drain (label: string, draining: boolean): void {
    const peer = this.#peers.find(one => one.label === label)
    if (peer === undefined) throw new RangeError(`Expected the label of an origin of ${this.#name} but received ${JSON.stringify(label)}`)
    peer.draining = draining
    this.#note(peer)
  }

  /** For details of health: no addresses. */
  state (): OriginState[] {
    return this.#peers.map(peer => peer.state)
  }

  /**
   * Smooth weighted round-robin, as in nginx: all who may are paid their weight, who is owed the
   * most is next and pays what was paid out. So turns are spread, and not runs of one. For
   * `least-pending` those alone take part that have the fewest under way for their weight.
   */
  #next (tried: ReadonlySet<Origin> | undefined): Peer | undefined {
    const peers = this.#peers
    if (peers.length === 1) return peers[0]?.takes === true ? peers[0] : undefined
    const least = this.#leastPending ? this.#leastLoad(tried) : Infinity
    let best: Peer | undefined
    let paid = 0
    for (const peer of peers) {
      if (!peer.takes || tried?.has(peer) === true || peer.pending / peer.weight > least) continue
      peer.credit += peer.weight
      paid += peer.weight
      if (best === undefined || peer.credit > best.credit) best = peer
    }
    if (best !== undefined) best.credit -= paid
    return best
  }

  #leastLoad (tried: ReadonlySet<Origin> | undefined): number {
    let least = Infinity
    for (const peer of this.#peers) {
      if (peer.takes && tried?.has(peer) !== true) least = Math.min(least, peer.pending / peer.weight)
    }
    return least
  }

  #unavailable (): MediaError {
    const waits = this.#peers.filter(peer => peer.healthy && !peer.draining).map(peer => peer.circuit.waitMs)
    const seconds = waits.length === 0 ? UNKNOWN_RETRY_SECONDS : Math.max(1, Math.ceil(Math.min(...waits) / 1000))
    return new MediaError('upstream-unavailable', {
      detail: `No origin of the upstream ${this.#name} is well`,
      headers: { 'retry-after': String(seconds) },
      context: { upstream: this.#name, origins: this.state() }
    })
  }

  #note (peer: Peer): void {
    const before = peer.told
    const { position } = peer
    if (position === before) return
    peer.told = position
    this.#onChange?.({ ...peer.state, before })
  }
}
