import type { MediaError } from '../errors.ts'
import type { Fields, Sender } from './message.ts'

/** What is about to be asked of an upstream. */
export interface OutgoingRequest {
  readonly method: string
  /** Path and query, below the base path of the origin. */
  readonly path: string
  /** By lower-case names. */
  readonly headers: Fields
}

/** The head of an upstream's answer. */
export interface IncomingHead {
  readonly status: number
  readonly headers: Fields
}

/** An answer in place of an upstream's. */
export interface SubstituteAnswer extends IncomingHead {
  readonly body: Buffer | string
}

/**
 * What an app does its own way with a mount's upstream. Each may be asynchronous; what one
 * throws is answered as an error of the app.
 *
 * @typeParam Request that of the framework
 */
export interface UpstreamHooks<Request> {
  /**
   * Which upstream is asked: the name of one of the configuration, or a sender of the app's own,
   * such as that of the node that holds a stream. Without an answer it is the mount's.
   */
  resolve? (request: Request): Promise<string | Sender | undefined> | string | Sender | undefined
  /** Changes what is asked. It comes last: what it returns is sent. */
  rewriteRequest? (outgoing: OutgoingRequest, request: Request): Promise<OutgoingRequest> | OutgoingRequest
  /** Changes the head of an answer, after the mount's own rewriting and before fields of this server are added. */
  rewriteResponse? (head: IncomingHead, request: Request): Promise<IncomingHead> | IncomingHead
  /** Told of every failure before the head was there; an answer that it gives is sent instead of the problem. */
  onUpstreamError? (error: MediaError, request: Request): Promise<SubstituteAnswer | undefined> | SubstituteAnswer | undefined
}
