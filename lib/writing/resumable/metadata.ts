import { MediaError } from '../../errors.ts'
import { givenName } from '../names.ts'

/** Bytes of `Upload-Metadata`: each upload keeps them on disk. Whoever uploads pushes against it. */
export const MAX_METADATA_BYTES = 4096

/** A key of it: visible ASCII, without commas. */
const KEY = /^[!-+\--~]+$/

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is used of what a client tells of its file. */
export interface TusMetadata {
  readonly filename: string | undefined
  readonly declaredType: string | undefined
}

/**
 * `Upload-Metadata` (tus 1.0, Creation), strictly: values are Base64 (RFC 4648 §4) of UTF-8, padded, in the one
 * spelling there is. A name that no file may have is refused here, before anything was sent for it.
 *
 * @throws {MediaError} `bad-request`, `bad-name`
 */
export function tusMetadata (field: string | undefined): TusMetadata {
  const values = parsed(field)
  // Clients that speak of `name` and `type` mean the same.
  const filename = values.get('filename') ?? values.get('name')
  if (filename !== undefined) givenName(filename)
  return { filename, declaredType: (values.get('filetype') ?? values.get('type')) || undefined }
}

function parsed (field: string | undefined): Map<string, string> {
  const values = new Map<string, string>()
  if (field === undefined) return values
  if (field.length > MAX_METADATA_BYTES) throw refusal(`may have ${MAX_METADATA_BYTES} bytes`)
  for (const pair of field.split(',')) {
    const [key = '', value = '', ...more] = pair.split(' ')
    if (!KEY.test(key) || more.length > 0) throw refusal('has to consist of pairs of a key and a value')
    if (values.has(key)) throw refusal('may not hold a key twice')
    values.set(key, decoded(value))
  }
  return values
}

function decoded (value: string): string {
  const bytes = Buffer.from(value, 'base64')
  if (bytes.toString('base64') !== value) throw refusal('has to hold its values in Base64')
  try {
    return utf8.decode(bytes)
  } catch {
    throw refusal('has to hold text in UTF-8')
  }
}

function refusal (why: string): MediaError {
  return new MediaError('bad-request', { detail: `Upload-Metadata ${why}` })
}
