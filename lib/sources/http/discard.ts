import type { Body } from '../../representation.ts'

/** What is read of a body that nobody wants, in bytes: so much costs less than another connection. */
const DRAINED_BYTES = 64 * 1024

/** How long that may take, in milliseconds. */
const DRAIN_MS = 1000

/** Lets go of a body that nobody wants, and keeps its connection where that costs little. */
export function discard (body: Body): void {
  if (Buffer.isBuffer(body) || body.destroyed) return
  let drained = 0
  const timer = setTimeout(() => body.destroy(), DRAIN_MS).unref()
  body.on('error', () => {}) // how it ends is of no interest
  body.on('close', () => clearTimeout(timer))
  body.on('data', (chunk: Buffer) => {
    drained += chunk.length
    if (drained > DRAINED_BYTES) body.destroy()
  })
}
