import type { Readable } from 'node:stream'

/** Header fields by their lower-case names; a field that came several times is a list. */
export type Fields = Record<string, string | string[]>

/** What is asked of an upstream. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query as they stand on the wire, below the base path of the origin: begins with a slash. */
  readonly path: string
  /** End-to-end fields, and those that this hop adds. Without `host` it is the origin's own. */
  readonly headers: Fields
  /** A body that is streamed: then the request is sent once only. */
  readonly body?: Readable | Buffer | undefined
  /** Who asked has left. */
  readonly signal?: AbortSignal | undefined
  /** Told of interim answers (1xx), such as 103. */
  readonly onInformation?: ((status: number, headers: Fields) => void) | undefined
}

/** The answer of an upstream, from the moment its head is there. */
export interface UpstreamResponse {
  readonly status: number
  /** End-to-end fields alone: what belongs to the one connection is gone. */
  readonly headers: Fields
  /**
   * All of the body where it came together with the head, else a stream of it, which fails
   * where the origin fails, and ends the exchange when it is destroyed.
   */
  readonly body: Buffer | Readable
  /** Trailer fields, once the body has ended. */
  readonly trailers: () => Fields | undefined
}

/** Whatever sends a request on: an upstream, a cache in front of one. */
export interface Sender {
  /** The upstream's name, for messages: never its address. */
  readonly name: string
  /**
   * Settles with the head of the final answer.
   *
   * @throws {MediaError} one of the codes that begin with `upstream-`
   * @throws the signal's reason
   */
  send (request: UpstreamRequest): Promise<UpstreamResponse>
}
