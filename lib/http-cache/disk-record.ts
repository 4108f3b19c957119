import type { Fields } from '../upstream/message.ts'
import type { ReceivedHead } from './freshness.ts'
import type { Mark } from './resource.ts'
import type { BodyReference } from './stored-body.ts'

/** A stored answer as the disk has it: its body in the same record, or in a file of its own. */
export interface AnswerRecord {
  readonly path: string
  readonly selection: string
  readonly head: ReceivedHead
  readonly reference?: BodyReference | undefined
}

/** What was read of a record. The body is that behind the head. */
export type DiskRecord = { readonly mark: Mark, readonly answer?: undefined } | { readonly answer: AnswerRecord, readonly mark?: undefined, readonly body: Buffer }

/** Bytes that tell the length of the head. */
const LENGTH_BYTES = 4

/** A record: the length of its head, the head as JSON, the body. */
export function encodeRecord (content: { mark: Mark } | { answer: AnswerRecord }, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from(JSON.stringify(content))
  const length = Buffer.allocUnsafe(LENGTH_BYTES)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, body])
}

/** Undefined for what this version did not write. That no bit of it changed is known already. */
export function decodeRecord (bytes: Buffer): DiskRecord | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined
  const start = LENGTH_BYTES + bytes.readUInt32BE(0)
  if (bytes.length < start) return undefined
  try {
    const { mark, answer } = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start)) as { mark?: Mark, answer?: AnswerRecord }
    if (mark !== undefined) return isMark(mark) ? { mark } : undefined
    return answer !== undefined && isAnswer(answer) ? { answer, body: bytes.subarray(start) } : undefined
  } catch {
    return undefined // not JSON, or not an object
  }
}

function isMark ({ varying, salt }: Mark): boolean {
  return isListOf(varying, 'string') && typeof salt === 'string'
}

function isAnswer ({ path, selection, head, reference }: AnswerRecord): boolean {
  return typeof path === 'string' && typeof selection === 'string' &&
    [head.status, head.askedAt, head.receivedAt].every(Number.isFinite) && typeof head.hadCookies === 'boolean' && isFields(head.fields) &&
    (reference === undefined || (typeof reference.key === 'string' && Number.isSafeInteger(reference.size) && isListOf(reference.sums, 'number')))
}

function isFields (fields: Fields): boolean {
  return typeof fields === 'object' && Object.values(fields).every(value => typeof value === 'string' || isListOf(value, 'string'))
}

function isListOf (value: unknown, type: 'string' | 'number'): boolean {
  return Array.isArray(value) && value.every(item => typeof item === type)
}
