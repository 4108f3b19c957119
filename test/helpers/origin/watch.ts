import { EventEmitter, once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Test } from '../app.ts'

/** A server on a free loopback port whose connections are counted. */
export interface Watched {
  /** Scheme, host and port, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** How many connections are open now. */
  readonly connections: number
  /** How many were ever opened, those that are closed included. */
  readonly opened: number
  /** Bytes that were given to all sockets so far. */
  readonly written: number
  /** `opened` and `closed`, each with the socket. */
  readonly events: EventEmitter
  /** Stops listening and destroys what is open; again is harmless. */
  close (): Promise<void>
}

/** Listens on loopback, counts, and closes after the test. */
export async function watched (t: Test, server: Server, { scheme = 'http', events = new EventEmitter() } = {}): Promise<Watched> {
  const open = new Set<Socket>()
  let opened = 0
  let writtenByClosed = 0
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    opened++
    socket.on('error', () => {}) // peers that reset are what these origins are for
    socket.once('close', () => {
      open.delete(socket)
      writtenByClosed += socket.bytesWritten
      events.emit('closed', socket)
    })
    events.emit('opened', socket)
  })
  const close = async (): Promise<void> => {
    if (server.listening) {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    }
  }
  t.teardown(close)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    get connections () { return open.size },
    get opened () { return opened },
    get written () { return [...open].reduce((sum, socket) => sum + socket.bytesWritten, writtenByClosed) },
    events,
    close
  }
}
