import { ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { isHandshake, plainHead } from './handshake.ts'
import { hasBody } from '../../http/has-body.ts'

/** What a client may send ahead of the answer to its handshake, in bytes. RFC 6455 §4.1 lets it send nothing. */
const MAX_EARLY_BYTES = 64 * 1024
/** Node.js keeps so many fields of a request where nobody says otherwise: names and values are 2000. */
const MAX_FIELDS = 1000

/** A connection whose client wants to speak WebSocket. */
export interface Upgrade {
  /** From here on the connection is the caller's, after the given fields of a 101. */
  accept (headers: Record<string, string | string[]>): { readonly socket: Socket, readonly early: Buffer }
}

/** Answers a request as if it had come by itself. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void

type Dangling = Socket & { _httpMessage?: ServerResponse | null }

/**
 * Requests that want another protocol, at one server. As soon as a server listens for any,
 * Node.js hands over all of them with their connection, also those of `curl --http2` and of Java's
 * clients, that go everywhere. Handshakes of WebSockets below the prefixes go through the router,
 * so that every hook of their route sees them; all else is put back as the plain request that a
 * server may take it for (RFC 9110 §7.8).
 *
 * Where the server has other listeners for upgrades, what is not below the prefixes is left to them.
 */
export class Upgrades {
  readonly #server: Server
  readonly #prefixes = new Map<string, Route>()
  readonly #waiting = new WeakMap<IncomingMessage, Upgrade>()

  constructor (server: Server) {
    this.#server = server
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => { this.#take(request, socket, head) })
    this.#choose(server)
  }

  /**
   * Newer versions of Node.js hand over a connection behind the body of a request, which could not
   * be put back, but ask before: with a body no wish is heard (RFC 9110 §7.8).
   */
  #choose (server: Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean }): void {
    if (server.shouldUpgradeCallback === undefined) return
    /* c8 ignore start -- only where Node.js asks, from 24.9 on: the tests run there too */
    const usual = server.shouldUpgradeCallback.bind(server)
    server.shouldUpgradeCallback = request => usual(request) && (!hasBody(request) || (this.#routeOf(request.url ?? '/') === undefined && server.listenerCount('upgrade') > 1))
    /* c8 ignore stop */
  }

  /** From now on handshakes below a prefix are routed. */
  add (prefix: string, route: Route): void {
    this.#prefixes.set(prefix, route)
  }

  /** The upgrade that a request asks for; undefined for every other request. */
  of (request: IncomingMessage): Upgrade | undefined {
    return this.#waiting.get(request)
  }

  #routeOf (target: string): Route | undefined {
    const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
    for (const [prefix, route] of this.#prefixes) {
      if (prefix === '' || path === prefix || path.startsWith(`${prefix}/`)) return route
    }
    return undefined
  }

  #take (request: IncomingMessage, socket: Dangling, head: Buffer): void {
    const route = this.#routeOf(request.url ?? '/')
    if (route === undefined && this.#server.listenerCount('upgrade') > 1) return
    socket.on('error', ignore)
    afterEarlierAnswers(socket, () => {
      if (route !== undefined && isHandshake(request)) this.#route(route, { request, socket, head })
      else this.#putBack(request, socket, head)
    })
  }

  #putBack (request: IncomingMessage, socket: Socket, head: Buffer): void {
    const plain = plainHead(request, this.#server.maxHeadersCount ?? MAX_FIELDS)
    if (plain === undefined) {
      socket.destroy()
      return
    }
    socket.off('error', ignore)
    socket.unshift(Buffer.concat([Buffer.from(plain, 'latin1'), head]))
    this.#server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
  }

  #route (route: Route, { request, socket, head }: { request: IncomingMessage, socket: Socket, head: Buffer }): void {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    const taking = early(socket, head)
    const proceed = (): void => { response.emit('drain') }
    const end = (): void => { socket.destroySoon() }
    socket.on('drain', proceed)
    response.once('finish', end)
    this.#waiting.set(request, {
      accept (headers) {
        response.off('finish', end)
        socket.off('drain', proceed)
        response.writeHead(101, { ...headers, connection: 'Upgrade', upgrade: 'websocket' }).end()
        return { socket, early: taking() }
      }
    })
    route(request, response)
  }
}

function ignore (): void {
  // What breaks is closed, and that is seen.
}

/**
 * Requests that were pipelined before this one are answered first. Node.js has let go of the
 * connection by now: it does not tell their answers any more that there is room again.
 */
function afterEarlierAnswers (socket: Dangling, go: () => void): void {
  const { _httpMessage: earlier } = socket
  if (socket.destroyed) return
  if (earlier === undefined || earlier === null) {
    go()
    return
  }
  const proceed = (): void => { earlier.emit('drain') }
  socket.on('drain', proceed)
  earlier.once('close', () => {
    socket.off('drain', proceed)
    setImmediate(afterEarlierAnswers, socket, go)
  })
}

/** Gathers what a client sends ahead, and sees it leave. @returns what ends that, and gives what was sent */
function early (socket: Socket, head: Buffer): () => Buffer {
  const chunks = [head]
  let bytes = head.length
  const gather = (chunk: Buffer): void => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_EARLY_BYTES) socket.destroy()
  }
  const leave = (): void => { socket.destroy() }
  socket.on('data', gather)
  socket.once('end', leave)
  return () => {
    socket.off('data', gather)
    socket.off('end', leave)
    socket.pause()
    return Buffer.concat(chunks)
  }
}
