import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import type { Principal } from '../../lib/access/access.ts'
import { MediaError } from '../../lib/errors.ts'
import { ClientLeft } from '../../lib/http/client-left.ts'
import { readOn } from '../../lib/http/linger.ts'
import { decodePath, pathBelow, type Key } from '../../lib/paths/request-path.ts'
import type { MountWriter, NewFile, StoredFile } from '../../lib/writing/mount-writer.ts'
import { resumableAt, ResumableUploads, type ResumableOptions, type ResumablePlace } from '../../lib/writing/resumable/resumable-uploads.ts'
import { scratch, type Test } from './app.ts'

/** A writer that keeps files in a directory, under names in which slashes are exclamation marks. */
export class PlainWriter implements MountWriter {
  readonly directory: string
  readonly added: string[] = []
  /** Runs before a file is kept: throws to refuse. */
  before: (name: string | undefined, file: NewFile) => Promise<void> | void = () => undefined

  constructor (directory: string) {
    this.directory = directory
  }

  async add (directory: Key, name: string | undefined, file: NewFile): Promise<StoredFile> {
    await this.before(name, file)
    const content = await buffer(file.body as Readable)
    const key = `${directory}/${name}`
    writeFileSync(this.pathOf(key), content)
    this.added.push(key)
    return { key: key as Key, path: `/m/${key}`, isNew: true, isAsSent: true } as unknown as StoredFile
  }

  pathOf (key: string): string {
    return `${this.directory}/${key.replaceAll('/', '!')}`
  }

  hashOf (key: string): string {
    return sha256(readFileSync(this.pathOf(key)))
  }

  async put (): Promise<never> { throw new MediaError('internal') }
  async remove (): Promise<never> { throw new MediaError('internal') }
  async move (): Promise<never> { throw new MediaError('internal') }
}

export function sha256 (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Resumable uploads behind a real server: the mount is `/m`, who asks says so by `X-Who`. */
export interface ResumableServer {
  readonly uploads: ResumableUploads
  readonly writer: PlainWriter
  readonly directory: string
  readonly port: number
  readonly url: string
  /** Runs at the start of each request. */
  onRequest: (request: IncomingMessage) => void
  /** What went wrong that was not the client's fault. */
  readonly faults: unknown[]
  readonly warnings: string[]
  close (): Promise<void>
}

export interface ResumableServerOptions extends Partial<ResumableOptions> {
  readonly maxBytes?: number
  readonly writer?: PlainWriter
  readonly admit?: ResumablePlace['admit']
}

export async function resumableServer (t: Test, { maxBytes = 10_000_000, writer, admit, ...options }: ResumableServerOptions = {}): Promise<ResumableServer> {
  const directory = options.directory ?? `${await scratch(t)}/resumable`
  const warnings: string[] = []
  const log = { info: () => undefined, warn: (_facts: object, message: string) => warnings.push(message) }
  const uploads = await ResumableUploads.open({ expiryMs: 60_000, log, ...options, directory })
  const kept = writer ?? new PlainWriter(await scratch(t))
  const faults: unknown[] = []
  const server = createServer((request, response) => {
    served.onRequest(request)
    const { directory: into, id } = resumableAtOr404(request)
    const who = request.headers['x-who']
    const principal = who === undefined ? null : { strategy: 'test', name: String(who) } as unknown as Principal
    const { method = '', headers } = request
    const place = { mount: '/m', directory: into, id, principal, maxBytes, writer: kept, admit, urlOf: (own: string) => `/m/${into}/.uploads/${own}`, pathUrl: encodeURI }
    uploads.answer({ method, headers, body: request, response }, place).then(
      answer => response.writeHead(answer.status, answer.headers).end(),
      (error: unknown) => {
        if (error instanceof ClientLeft) return response.destroy()
        if (!(error instanceof MediaError) || error.statusCode >= 500) faults.push(error)
        const { statusCode, headers: fields, code, message } = error instanceof MediaError ? error : new MediaError('internal')
        return response.writeHead(statusCode, { ...fields, 'x-code': code }).end(method === 'HEAD' ? undefined : message)
      }
    ).finally(() => { if (!request.complete) readOn(request, response) })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await uploads.close()
  }
  t.teardown(close)
  const { port } = server.address() as AddressInfo
  const served: ResumableServer = { uploads, writer: kept, directory, port, url: `http://127.0.0.1:${port}`, faults, warnings, onRequest: () => undefined, close }
  return served
}

/** As a route would have it; what is no key at all is a directory that nobody knows. */
function resumableAtOr404 (request: IncomingMessage): { directory: Key, id: string | undefined } {
  try {
    const { directory, id } = resumableAt(pathBelow(decodePath(request.url ?? '/'), '/m')?.key ?? ('' as Key))
    return { directory, id }
  } catch {
    return { directory: '' as Key, id: randomBytes(16).toString('hex') }
  }
}

/** `Upload-Metadata` of some values. */
export function metadataOf (values: Record<string, string>): string {
  return Object.entries(values).map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`).join(',')
}

export const tus = { 'tus-resumable': '1.0.0' } as const
export const part = { ...tus, 'content-type': 'application/offset+octet-stream' } as const
