import type { Circuit, CircuitPosition } from './circuit.ts'

/** One server, as configured. */
export interface OriginOptions {
  /** Scheme, host, port and base path. */
  readonly url: string
  readonly weight: number
  /** Whether it gets no new requests. */
  readonly drain: boolean
}

/** One server of an upstream. */
export interface Origin {
  readonly url: URL
  /** Of the URL: empty, or `/base` without a slash at the end. */
  readonly basePath: string
  /** `name[0]`, for logs and details of health: never the address. */
  readonly label: string
  /** Requests under way. */
  readonly pending: number
}

/** Of several reasons to be left out the operator's comes first, then that of the health checks. */
export type OriginPosition = CircuitPosition | 'unhealthy' | 'draining'

/** How an origin is. */
export interface OriginState {
  /** Its label. */
  readonly origin: string
  readonly state: OriginPosition
  readonly pending: number
  /** In a row. */
  readonly failures: number
  readonly weight: number
}

/** An origin with all that decides about its turns. */
export class Peer implements Origin {
  readonly url: URL
  readonly basePath: string
  readonly label: string
  readonly weight: number
  readonly circuit: Circuit
  pending = 0
  healthy = true
  draining: boolean
  /** What it is owed in its turns. */
  credit = 0
  /** As last told. */
  told: OriginPosition

  constructor ({ url, weight, drain }: OriginOptions, label: string, circuit: Circuit) {
    this.url = new URL(url)
    this.basePath = this.url.pathname.replace(/\/+$/, '')
    this.label = label
    this.weight = weight
    this.draining = drain
    this.circuit = circuit
    this.told = this.position
  }

  get position (): OriginPosition {
    if (this.draining) return 'draining'
    return this.healthy ? this.circuit.position : 'unhealthy'
  }

  get takes (): boolean {
    return this.healthy && !this.draining && this.circuit.open
  }

  get state (): OriginState {
    return { origin: this.label, state: this.position, pending: this.pending, failures: this.circuit.failures, weight: this.weight }
  }
}
