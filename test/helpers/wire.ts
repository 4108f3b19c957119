import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from './app.ts'
import { eventually } from './process.ts'

/** A connection of one's own: bytes go out as they are written, and what came back is there to look at. */
export interface Wire {
  readonly socket: Socket
  /** All that came, as Latin-1. */
  readonly text: string
  /** Whether the other side has ended it, or it broke. */
  readonly ended: boolean
  send (bytes: string | Buffer): void
  /** Waits until something came, and gives all that came. */
  until (what: RegExp | string): Promise<string>
  /** Waits for the end, and gives all that came. */
  end (): Promise<string>
}

/** Connects to a server on loopback; what is still open after the test is closed. */
export async function wire (t: Test, { port }: { port: number }): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => socket.destroy())
  const chunks: Buffer[] = []
  let ended = false
  socket.on('data', chunk => chunks.push(chunk))
  socket.on('error', () => { ended = true })
  socket.on('end', () => { ended = true })
  socket.on('close', () => { ended = true })
  await once(socket, 'connect')
  const text = (): string => Buffer.concat(chunks).toString('latin1')
  return {
    socket,
    get text () { return text() },
    get ended () { return ended },
    send: bytes => { socket.write(Buffer.from(bytes as string, 'latin1')) },
    async until (what) {
      await eventually(() => typeof what === 'string' ? text().includes(what) : what.test(text()))
      return text()
    },
    async end () {
      await eventually(() => ended)
      return text()
    }
  }
}

/** Request line and fields, with `Host` and the empty line. */
export function head (line: string, fields: readonly string[] = []): string {
  return `${[line.includes('HTTP/') ? line : `${line} HTTP/1.1`, 'Host: media.example', ...fields].join('\r\n')}\r\n\r\n`
}
