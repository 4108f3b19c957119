import type { Duplex } from 'node:stream'

/** Milliseconds that one side may take to read the last bytes, and to end too, once the other has ended. */
const FLUSH_MS = 30_000
/** Milliseconds of silence after which the kernel asks whether a peer is still there. */
const KEEP_ALIVE_MS = 60_000

/** One end of a tunnel. */
export interface TunnelEnd {
  readonly socket: Duplex & { setKeepAlive?: (on: boolean, afterMs: number) => unknown }
  /** What came from it so far. */
  readonly early: Buffer
}

/**
 * Passes bytes both ways as they come, each side no faster than the other reads, until one of
 * them ends: the other gets what is on its way, and its end. Where one breaks, so does the other.
 *
 * @returns settles when both are closed
 */
export async function tunnel (client: TunnelEnd, upstream: TunnelEnd, flushMs = FLUSH_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    timer ??= setTimeout(() => {
      client.socket.destroy()
      upstream.socket.destroy()
    }, flushMs)
  }
  await Promise.all([carry(client, upstream, flush), carry(upstream, client, flush)])
  clearTimeout(timer)
}

async function carry ({ socket: from, early }: TunnelEnd, { socket: to }: TunnelEnd, ended: () => void): Promise<void> {
  await new Promise<void>(resolve => {
    from.on('error', () => {}) // 'close' follows
    from.once('end', () => {
      to.end()
      ended()
    })
    from.once('close', () => {
      if (!from.readableEnded) to.destroy()
      resolve()
    })
    from.setKeepAlive?.(true, KEEP_ALIVE_MS)
    if (early.length > 0) to.write(early)
    from.pipe(to, { end: false })
    if (from.destroyed) {
      to.destroy()
      resolve()
    }
  })
}
