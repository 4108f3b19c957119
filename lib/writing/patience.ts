import type { IncomingMessage } from 'node:http'
import { MediaError } from '../errors.ts'

/** How long is waited for a request, in milliseconds. */
export interface Patience {
  /** In which nothing may come. */
  readonly stallMs: number
  /** For all of it. */
  readonly timeoutMs: number
}

/** Looks at what came, for each time in which something has to. */
const LOOKS = 4

/**
 * Waits for work on a body that others read, as long as its client sends it. The signal tells that nobody waits any more.
 *
 * @throws {MediaError} `request-timeout`; what the work throws
 */
export async function whileItComes<T> ({ socket }: IncomingMessage, { stallMs, timeoutMs }: Patience, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  let [bytes, stalled] = [socket.bytesRead, 0]
  const over = new AbortController()
  const timers: NodeJS.Timeout[] = []
  const late = new Promise<never>((_resolve, reject) => {
    const refuse = (): void => {
      const fault = new MediaError('request-timeout', { detail: 'The upload took too long' })
      over.abort(fault)
      reject(fault)
    }
    timers.push(setTimeout(refuse, timeoutMs), setInterval(() => {
      stalled = socket.bytesRead === bytes ? stalled + 1 : 0
      bytes = socket.bytesRead
      if (stalled > LOOKS) refuse()
    }, stallMs / LOOKS))
  })
  try {
    return await Promise.race([work(over.signal), late])
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}
