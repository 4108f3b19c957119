import { get, type IncomingMessage } from 'node:http'
import { scratch, type Test } from '../helpers/app.ts'

/** A file too large for the buffers between a server and a client. */
export const LARGE = Buffer.alloc(24 * 1024 * 1024, 'fastify-media ')

/** A directory with a file large enough to be under way while the server stops. */
export async function directory (t: Test): Promise<string> {
  return await scratch(t, { 'a.txt': 'meow', 'large.bin': LARGE })
}

/** A download of the large file that has begun and is not read on. */
export async function slowDownload ({ port }: { port: number }, host = '127.0.0.1'): Promise<{ finish: () => Promise<number> }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host, port, path: '/large.bin', agent: false }, resolve).on('error', reject)
  })
  return {
    async finish () {
      let bytes = 0
      for await (const chunk of response) bytes += (chunk as Buffer).length
      return bytes
    }
  }
}
