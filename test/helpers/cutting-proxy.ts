import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from './app.ts'

/** Stands between a client and a server. */
export interface CuttingProxy {
  readonly port: number
  /** Cuts that are still to come. */
  left (): number
}

/** Resets the connection when so many bytes have come over it, once for each of the numbers. */
export async function cuttingProxy (t: Test, port: number, cuts: number[]): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const proxy = createServer(client => {
    const server = connect(port, '127.0.0.1')
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    let bytes = 0
    client.on('data', chunk => {
      bytes += chunk.length
      const limit = cuts[0]
      if (limit === undefined || bytes <= limit) {
        server.write(chunk)
        return
      }
      cuts.shift()
      client.resetAndDestroy()
    })
    server.pipe(client)
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    proxy.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (proxy.address() as AddressInfo).port, left: () => cuts.length }
}
