import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { MediaError } from '../../errors.ts'
import { upstreamFailure } from '../failures.ts'
import type { Origin, OriginLease, Origins } from '../origins.ts'

/** What connections outside of a pool are made with. */
export interface OwnConnectionsOptions {
  /** The upstream's. */
  readonly name: string
  readonly origins: Origins
  /** As for the pool, but without HTTP/2. */
  readonly connect: buildConnector.connector
  /** The most at once. WebSockets push against it: each holds one for as long as it lives. */
  readonly connections: number
  /** How long the head of an answer may take. */
  readonly firstByteTimeoutMs: number
  /** How long a body may pause; 0 is for ever. Not for what was switched to another protocol. */
  readonly idleTimeoutMs: number
  readonly maxHeaderBytes: number
}

/** A connection that carries one exchange. */
export interface OwnConnection {
  readonly socket: Socket
  readonly lease: OriginLease
  /** Closes it, and tells what came of it. Again is harmless. */
  end (outcome: 'good' | 'bad' | 'neutral'): void
}

/**
 * Connections for what no pool carries: handshakes of WebSockets, whose connection changes hands,
 * and requests with trailer fields, which undici cannot send.
 */
export class OwnConnections {
  readonly options: OwnConnectionsOptions
  #open = 0

  constructor (options: OwnConnectionsOptions) {
    this.options = options
  }

  /** How many are open. */
  get open (): number {
    return this.#open
  }

  /**
   * Connects to the origin whose turn it is; where that cannot be connected to, to the others.
   *
   * @throws {MediaError} `upstream-busy`, `upstream-unavailable`, and what a connection fails with
   * @throws the signal's reason
   */
  async connect (signal?: AbortSignal): Promise<OwnConnection> {
    const { name, origins, connections } = this.options
    const tried = new Set<Origin>()
    for (;;) {
      if (this.#open >= connections) throw new MediaError('upstream-busy', { detail: `Too many connections are open to the upstream ${name}`, headers: { 'retry-after': '1' }, context: { upstream: name } })
      const lease = origins.lease(tried)
      this.#open++
      try {
        const socket = await this.#socketTo(lease.origin)
        const connection = this.#connection(socket, lease)
        if (signal?.aborted !== true) return connection
        connection.end('neutral')
      } catch (error) {
        this.#open--
        lease.end('bad')
        tried.add(lease.origin)
        if (tried.size >= origins.all.length) throw upstreamFailure(error, name, lease.origin.label)
      }
      signal?.throwIfAborted()
    }
  }

  #connection (socket: Socket, lease: OriginLease): OwnConnection {
    let isOver = false
    return {
      socket,
      lease,
      end: outcome => {
        if (isOver) return
        isOver = true
        this.#open--
        lease.end(outcome)
        socket.destroy()
      }
    }
  }

  async #socketTo ({ url: { host, hostname, protocol, port } }: Origin): Promise<Socket> {
    return await new Promise((resolve, reject) => {
      this.options.connect({ host, hostname, protocol, port }, (...[error, socket]) => {
        if (error !== null) reject(error)
        else resolve(socket)
      })
    })
  }
}
