import type { Content } from './content.ts'
import { aMoment, chunk, flush, head, reset, type RawRequest, type Script } from './raw.ts'

/* Origins of one file that know Range and If-Range, and die in the middle. */

/** How a file's origin answers, and what it gets wrong. */
export interface FileAnswers {
  /** The validator: strong, `W/"…"`, or none. */
  etag?: string | undefined
  lastModified?: string | undefined
  /**
   * After how many bytes of its body each answer ends: the first answer after the first of them.
   * Answers beyond the list are whole.
   */
  dies?: readonly number[]
  /** How it dies. */
  by?: 'fin' | 'reset'
  /** Answers all requests whole with 200, as if there were no Range. */
  ignoresRange?: boolean
  /** Does not look at If-Range: sends a part even where the validator is another. */
  ignoresIfRange?: boolean
  /** From the second answer on another file stands here, with this validator. */
  later?: { file: Content, etag: string }
  /** Changes the fields of a partial answer. */
  partial?: ((fields: Record<string, string>, from: number, to: number) => Record<string, string>) | undefined
  /** How bodies are framed. */
  framing?: 'length' | 'chunked'
  /** Fields of every answer. */
  fields?: Record<string, string>
}

interface Part { status: number, from: number, to: number }

function partOf (request: RawRequest, size: number, etag: string | undefined, answers: FileAnswers): Part {
  const whole = { status: 200, from: 0, to: size }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers['range'] ?? '')
  if (range === null || answers.ignoresRange === true) return whole
  const condition = request.headers['if-range']
  if (condition !== undefined && condition !== etag && condition !== answers.lastModified && answers.ignoresIfRange !== true) return whole
  const from = Number(range[1])
  const to = range[2] === '' ? size : Math.min(Number(range[2]) + 1, size)
  return from < to ? { status: 206, from, to } : { status: 416, from: 0, to: 0 }
}

function fieldsOf (part: Part, size: number, etag: string | undefined, answers: FileAnswers): Record<string, string> {
  const fields: Record<string, string> = {
    'Content-Type': 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    ...(etag === undefined ? {} : { ETag: etag }),
    ...(answers.lastModified === undefined ? {} : { 'Last-Modified': answers.lastModified }),
    ...answers.fields,
    ...(answers.framing === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(part.to - part.from) })
  }
  if (part.status === 416) return { ...fields, 'Content-Range': `bytes */${size}` }
  if (part.status === 200) return fields
  const partial = { ...fields, 'Content-Range': `bytes ${part.from}-${part.to - 1}/${size}` }
  return answers.partial === undefined ? partial : answers.partial(partial, part.from, part.to)
}

/** An origin of one file that answers ranges (RFC 9110 §14) and dies as often as it is told to. */
export function file (content: Content, answers: FileAnswers = {}): Script {
  return async request => {
    const later = request.index > 0 ? answers.later : undefined
    const { file: now, etag } = later ?? { file: content, etag: answers.etag }
    const part = partOf(request, now.size, etag, answers)
    const { socket } = request
    await flush(socket, head(part.status, fieldsOf(part, now.size, etag, answers)))
    if (request.method === 'HEAD') return
    const end = Math.min(part.to, part.from + (answers.dies?.[request.index] ?? Infinity))
    for (const piece of now.pieces(part.from, end)) {
      if (!socket.writable) return
      await flush(socket, answers.framing === 'chunked' ? chunk(piece) : piece)
    }
    if (answers.dies?.[request.index] !== undefined) {
      if (answers.by === 'fin') { socket.end(); return }
      await aMoment()
      reset(socket)
    } else if (answers.framing === 'chunked') socket.write('0\r\n\r\n')
  }
}
