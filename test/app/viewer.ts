import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Test } from '../helpers/app.ts'

/** Who reads an answer that may have no end. */
export interface Viewer {
  readonly response: IncomingMessage
  /** How many came so far. */
  readonly bytes: number
  readonly isOver: boolean
  /** Waits until so many bytes came. @throws where the answer breaks before */
  seen (bytes: number): Promise<void>
  stop (): void
  leave (): void
}

/** Settles when the head is there; who still watches after the test is gone. */
export async function watch (t: Test, { port }: { port: number }, path: string): Promise<Viewer> {
  const request = get({ host: '127.0.0.1', port, path, agent: false })
  t.teardown(() => request.destroy())
  const [response] = await once(request, 'response') as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`Expected an answer to watch but received ${response.statusCode}`)
  const came = { bytes: 0, isOver: false }
  request.on('error', () => {})
  response.on('data', (chunk: Buffer) => { came.bytes += chunk.length })
  response.on('error', () => {})
  response.on('close', () => { came.isOver = true })
  return {
    response,
    get bytes () { return came.bytes },
    get isOver () { return came.isOver },
    async seen (wanted) { while (came.bytes < wanted) await once(response, 'data') },
    stop: () => { response.pause() },
    leave: () => { request.destroy() }
  }
}
