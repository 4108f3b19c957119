import type { Readable } from 'node:stream'
import { MediaError } from '../errors.ts'
import { ClientLeft } from '../http/client-left.ts'
import type { NewFile, StoredFile } from './mount-writer.ts'
import type { ReceivedFile } from './writer.ts'

/** A part of a form, as @fastify/multipart gives it. */
export interface FormPart {
  readonly type: 'file' | 'field'
  readonly filename?: string | undefined
  readonly mimetype?: string | undefined
  readonly file?: Readable
}

/** Takes one file of a form. */
export type TakeFile = (name: string, file: Pick<NewFile, 'body' | 'declaredType'>) => Promise<ReceivedFile>

/** The most fields of a form that are no files: they are not read, and a form for files has few. */
export const MAX_FIELDS = 100

/** Bytes of such a field, and of its name. */
export const MAX_FIELD_BYTES = 65_536

/** Fields of the head of one part. */
export const MAX_PART_HEADERS = 32

/** What the reader gives for a part that does not tell its type (RFC 7578 §4.4). */
const UNTOLD = 'text/plain'

/**
 * Takes all files of a form, and keeps them once it has ended well: of a form that breaks off, or of which one file is
 * refused, none is kept. (Where, of several, one cannot be kept at the end because of what others did meanwhile, those
 * before it stay.)
 *
 * @param signal tells until all have come that they are not wanted any more
 * @throws {MediaError} `bad-multipart`, and what taking and keeping a file throws; the signal's reason
 */
export async function keepForm (parts: AsyncIterable<FormPart>, take: TakeFile, signal: AbortSignal): Promise<StoredFile[]> {
  const received: ReceivedFile[] = []
  const keys = new Set<string>()
  const stored: StoredFile[] = []
  try {
    for await (const { file, filename, mimetype } of sound(parts)) {
      if (file === undefined) continue
      if (filename === undefined || filename === '') throw new MediaError('bad-multipart', { detail: 'A file of the form has no name' })
      const one = await take(filename, { body: file, declaredType: mimetype === UNTOLD ? undefined : mimetype }).catch((error: unknown) => { throw formFault(error) })
      received.push(one)
      if (keys.has(one.key)) throw new MediaError('conflict', { detail: 'Two files of the form have one name' })
      keys.add(one.key)
      await one.rest()
    }
    if (received.length === 0) throw new MediaError('bad-multipart', { detail: 'There is no file in the form' })
    signal.throwIfAborted()
    for (const each of received) stored.push(await each.commit())
    return stored
  } finally {
    await Promise.all(received.slice(stored.length).map(async each => await each.discard()))
  }
}

async function * sound (parts: AsyncIterable<FormPart>): AsyncGenerator<FormPart> {
  try {
    yield * parts
  } catch (error) {
    throw formFault(error)
  }
}

const limitCodes: Record<string, string> = {
  FST_FILES_LIMIT: 'It has too many files',
  FST_PARTS_LIMIT: 'It has too many parts',
  FST_FIELDS_LIMIT: 'It has too many fields'
}

/** What the reader of forms fails with is the client's fault, unless it is ours already (RFC 7578; the reader answers 500). */
function formFault (error: unknown): unknown {
  if (error instanceof MediaError || error instanceof ClientLeft) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'FST_MP_PREMATURE_CLOSE' || code === 'ECONNRESET') return new ClientLeft()
  const limit = limitCodes[code]
  if (limit !== undefined) return new MediaError('body-too-large', { detail: limit })
  if (code === 'FST_PROTO_VIOLATION' || /multipart|boundary|part terminated|header/i.test(message)) return new MediaError('bad-multipart', { cause: error })
  return error
}
