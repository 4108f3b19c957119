import { createHash, randomBytes } from 'node:crypto'
import { keyHash } from '../../lib/access/api-keys.ts'
import { scratch, serveMedia, ask, type Answer, type Served, type Test } from './app.ts'

/** A key that opens every method. */
export const writerKey = `fm_${randomBytes(32).toString('base64url')}`

/** One that only reads. */
export const readerKey = `fm_${randomBytes(32).toString('base64url')}`

/** The strategies of these keys. */
export const strategies = {
  keys: {
    driver: 'apiKey' as const,
    keys: [
      { name: 'writer', hash: keyHash(writerKey), methods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'] },
      { name: 'reader', hash: keyHash(readerKey) }
    ]
  }
}

/** What a request of the writer carries. */
export const asWriter = { 'x-api-key': writerKey }

/** What is different about a mount that can be written to. */
export interface WritableOptions {
  files?: Record<string, string | Buffer>
  writing?: Record<string, unknown>
  mount?: Record<string, unknown>
  rest?: Record<string, unknown>
}

/** A server with one mount, `/files`, that the writer may write to and everybody read. */
export async function serveWritable (t: Test, { files = {}, writing = {}, mount = {}, rest = {} }: WritableOptions = {}): Promise<Served & { root: string, state: string }> {
  const [root, state, cache] = [await scratch(t, files), await scratch(t), await scratch(t)]
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies,
    uploads: { directory: state },
    images: { cache: { directory: cache } },
    mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { read: 'public', write: ['keys'] }, writing, ...mount }],
    ...rest
  })
  return Object.assign(served, { root, state })
}

/** PUT by the writer. */
export async function put (served: { port: number }, path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return await ask(served, path, { method: 'PUT', body, headers: { ...asWriter, ...headers } })
}

/** `Content-Digest` of some bytes (RFC 9530). */
export function digestOf (bytes: string | Buffer, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm.replace('sha', 'sha-')}=:${createHash(algorithm).update(bytes).digest('base64')}:`
}

/** A form of files and fields, and its type. */
export function form (parts: ReadonlyArray<{ name?: string, filename?: string, type?: string, body: string | Buffer }>, boundary = 'XXboundaryXX'): { body: Buffer, headers: Record<string, string> } {
  const pieces = parts.flatMap(({ name = 'file', filename, type, body }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`),
    Buffer.from(body),
    Buffer.from('\r\n')
  ])
  return { body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }
}
