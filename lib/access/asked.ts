import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { AccessRequest } from './access.ts'

/** A request, as far as access is decided by it. */
export interface Request {
  readonly raw: IncomingMessage
  readonly clientAddress: string
  readonly isFromTrustedProxy: boolean
}

/** Where it is decided. */
export interface AccessPlace {
  /** The prefix of the mount, as the configuration has it; `/` at the root. */
  readonly mount: string
  /** The path of the file that a request asks for. @throws {MediaError} `bad-path` */
  pathOf (target: string, method: string): string
}

/** {@link AccessRequest} of a request: nothing is worked out before it is asked for. */
export class Asked implements AccessRequest {
  readonly target: string
  readonly #request: Request
  readonly #place: AccessPlace

  constructor (request: Request, place: AccessPlace) {
    this.#request = request
    this.#place = place
    this.target = request.raw.url ?? '/'
  }

  get method (): string {
    return this.#request.raw.method ?? 'GET'
  }

  get mount (): string {
    return this.#place.mount
  }

  get headers (): IncomingHttpHeaders {
    return this.#request.raw.headers
  }

  get rawHeaders (): readonly string[] {
    return this.#request.raw.rawHeaders
  }

  get address (): string {
    return this.#request.clientAddress
  }

  get isFromTrustedProxy (): boolean {
    return this.#request.isFromTrustedProxy
  }

  get certificate (): Buffer | undefined {
    const socket = this.#request.raw.socket as TLSSocket
    return socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined
  }

  get path (): string {
    return this.#place.pathOf(this.target, this.method)
  }
}

/** A request as somebody sees it who takes it for one of another method. */
export function askedAs (asked: AccessRequest, method: string): AccessRequest {
  const { target, mount, headers, rawHeaders, address, isFromTrustedProxy } = asked
  return { method, target, mount, headers, rawHeaders, address, isFromTrustedProxy, get certificate () { return asked.certificate }, get path () { return asked.path } }
}
