import type { IncomingHttpHeaders } from 'node:http'

/* What everything that decides about access has in common. */

/** Who asks, once a strategy knows. */
export interface Principal {
  /** The name of the strategy that knows them, as the configuration has it. */
  readonly strategy: string
  /** Who it is: the subject of a token, the name of a key; `''` where nobody in particular. */
  readonly name: string
  /** Undefined where the strategy knows of no scopes: then none are asked for. */
  readonly scopes?: readonly string[] | undefined
  /** Whether several clients are it, beside those without a name: they are told apart by their addresses where that matters. */
  readonly isShared?: boolean
  /** What else a token says; never what proves it. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** What a strategy may look at. Getters, where it costs to work out. */
export interface AccessRequest {
  /** A request that may become a WebSocket is judged once more as `WEBSOCKET`. */
  readonly method: string
  /** The request target as it was sent, with its signature. */
  readonly target: string
  /** The prefix of the mount, as the configuration has it; `/` at the root. */
  readonly mount: string
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[]
  /** The client's IP address, as trusted proxies tell it; `''` once its connection is gone. */
  readonly address: string
  readonly isFromTrustedProxy: boolean
  /** The certificate of the client in DER, where the TLS server of this process verified one. */
  readonly certificate: Buffer | undefined
  /**
   * The path of the file that is asked for, decoded once: that of the original where a URL asks for a variant.
   *
   * @throws {MediaError} `bad-path` where two readers could read it differently
   */
  readonly path: string
}

/**
 * What a strategy says of a request. `reason` is for the log: it never holds a credential.
 *
 * - `granted`: `target` is the request target without what proved it, where that was part of it; `isPassing` where the
 *   proof is for a time or a client, and others may have the same URL
 * - `absent`: there are no credentials for this strategy → 401
 * - `invalid`: there are, and they do not hold → 401
 * - `denied`: nothing that the client could add would help → 403
 * - `forbidden`: they hold, and are for something else → 403
 * - `unavailable`: it cannot be told at the moment → 503
 */
export type Verdict =
  { readonly kind: 'granted', readonly principal: Principal, readonly target?: string, readonly isPassing?: boolean } |
  { readonly kind: 'absent' } |
  { readonly kind: 'invalid' | 'denied' | 'forbidden', readonly reason: string } |
  { readonly kind: 'unavailable', readonly reason: string, readonly retryAfterSeconds?: number }

/** How it goes, for whoever rolls signed URLs out. */
export interface SignedState {
  readonly mode: 'enforce' | 'report-only'
  /** Requests with a signature that held. */
  readonly granted: number
  /** Those that were refused, or in mode `report-only` would have been, by reason. */
  readonly refused: Readonly<Record<string, number>>
}

/** One way to prove who one is. */
export interface Strategy {
  /** As the configuration has it. */
  readonly name: string
  /** For `WWW-Authenticate` (RFC 9110 §11.6.1); undefined where no credentials could be sent. */
  readonly challenge?: string | undefined
  /** Request fields that its verdict rests on, for `Vary`: `Authorization`. */
  readonly fields: readonly string[]
  /** Of these, in lower case, those that carry credentials: they are not for upstreams. */
  readonly credentials?: readonly string[] | undefined
  /** How it goes, where it is about signed URLs. */
  readonly state?: SignedState
  /** Where it does not count yet: told of each request that was let in all the same, and why it would not have been. */
  report? (reason: string, target: string): void
  /** Without waiting wherever that is possible. Never throws because of what a client sent, but for {@link AccessRequest.path}. */
  judge (request: AccessRequest): Verdict | Promise<Verdict>
  close? (): Promise<void> | void
}

/** Where strategies write down what an operator should know. */
export interface AccessLog {
  warn (facts: object, message: string): void
  info (facts: object, message: string): void
}
