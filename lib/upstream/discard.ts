import type { Readable } from 'node:stream'

/** Lets go of a body that nobody wants, and of its connection. */
export function discard (body: Buffer | Readable | undefined): void {
  if (body === undefined || Buffer.isBuffer(body)) return
  body.on('error', () => {}) // it is given up: how it ends is of no interest
  body.destroy()
}
