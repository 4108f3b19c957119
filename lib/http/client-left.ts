import type { ServerResponse } from 'node:http'

/** Nobody is there to take an answer. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

/**
 * Does work that nobody wants any more once the client has left: `signal` is aborted then.
 *
 * @throws {ClientLeft} at once where it has left already; what the work throws, which is mostly the signal's reason
 */
export async function whileClientStays<T> (response: ServerResponse, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (response.destroyed || response.req.socket.destroyed) throw new ClientLeft()
  const left = new AbortController()
  const leave = (): void => left.abort(new ClientLeft())
  response.once('close', leave)
  try {
    return await work(left.signal)
  } finally {
    response.off('close', leave)
  }
}
