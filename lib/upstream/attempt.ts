import { isHopByHop, nominatedBy } from '../http/end-to-end-headers.ts'
import type { Loan } from './loans.ts'
import type { Fields } from './message.ts'
import type { SocketBuffers } from './socket-buffers.ts'

/** Who is told what comes of an attempt. One of `failed` and `completed` is the last word. */
export interface AttemptListener {
  informed (status: number, headers: Fields): void
  /** The head is there. `resume` lets the body flow again after `received` has said no. */
  answered (status: number, headers: Fields, resume: () => void): void
  /** @returns whether more may come at once */
  received (chunk: Buffer): boolean
  completed (trailers: Fields | undefined): void
  failed (error: Error): void
}

/** Interim answers before a final one; an origin that sends more means harm. */
const MAX_INTERIMS = 64

/** One request on one connection: what undici tells, in the words of {@link AttemptListener}. */
export class Attempt {
  readonly #listener: AttemptListener
  readonly #maxWaitMs: number
  #patience: NodeJS.Timeout | undefined
  #interims = 0
  #abort: ((reason: Error) => void) | undefined
  #cancelled: Error | undefined
  readonly #buffers: SocketBuffers | undefined
  #loan: Loan | undefined
  #status = 0
  #isOver = false

  /**
   * @param maxWaitMs how long interim answers may put off the final one
   * @param buffers what its connection reads into
   */
  constructor (listener: AttemptListener, maxWaitMs: number, buffers?: SocketBuffers) {
    this.#listener = listener
    this.#buffers = buffers
    this.#maxWaitMs = maxWaitMs
  }

  /** Ends it, wherever it is. Its listener hears nothing more. */
  cancel (reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#patience)
    this.#cancelled = reason
    this.#abort?.(reason)
  }

  /* What undici calls: the handlers by which it hands on fields and bytes as they came. */

  onConnect (abort: (reason?: Error) => void): void {
    this.#abort = abort
    if (this.#cancelled !== undefined) abort(this.#cancelled)
  }

  onHeaders (status: number, raw: Array<Buffer | string>, resume: () => void): boolean {
    if (this.#isOver) return true
    if (status === 101) return this.#refuse(new Error('bad upgrade')) // nobody asked for another protocol
    if (status > 599) return this.#refuse(new Error('bad response')) // RFC 9110 §15
    const headers = fieldsOf(raw)
    if (status < 200) return this.#inform(status, headers)
    clearTimeout(this.#patience)
    this.#status = status
    this.#listener.answered(status, headers, resume)
    return true
  }

  /** Each interim answer puts off undici's own limit: together they get the time of one first byte, and are not many. */
  #inform (status: number, headers: Fields): true {
    this.#patience ??= setTimeout(() => this.#refuse(Object.assign(new Error('Only interim answers came'), { code: 'UND_ERR_HEADERS_TIMEOUT' })), this.#maxWaitMs)
    if (++this.#interims > MAX_INTERIMS) return this.#refuse(new Error('bad response'))
    this.#listener.informed(status, headers)
    return true
  }

  #refuse (error: Error): true {
    this.onError(error)
    this.#abort?.(error)
    return true
  }

  onData (chunk: Buffer): boolean {
    if (chunk.length === 0) return true // a parser that goes on begins so: whether there is room is asked with the bytes
    this.#loan = this.#buffers?.parsed(chunk, this.#loan)
    return this.#isOver || this.#listener.received(chunk)
  }

  onComplete (raw: Array<Buffer | string> | null): void {
    this.#loan?.passRest()
    if (this.#isOver) return
    this.#isOver = true
    this.#listener.completed(raw === null || raw.length === 0 ? undefined : fieldsOf(raw))
  }

  onError (error: Error & { code?: string }): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#patience)
    // A 304 may tell the length of what it stands for (RFC 9110 §8.6), which undici takes for that of its body.
    if (this.#status === 304 && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') this.#listener.completed(undefined)
    else this.#listener.failed(error)
  }
}

/** Fields that go on: without those of the connection. */
export function fieldsOf (raw: ReadonlyArray<Buffer | string>): Fields {
  const fields: Fields = {}
  let connection: string | undefined
  for (let place = 0; place < raw.length; place += 2) {
    const name = (raw[place] as Buffer | string).toString('latin1').toLowerCase()
    const value = (raw[place + 1] as Buffer | string).toString('latin1')
    if (name === 'connection') connection = connection === undefined ? value : `${connection},${value}`
    if (isHopByHop(name) || name === '__proto__') continue
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined // `constructor` is a name as any other
    if (known === undefined) fields[name] = value
    else if (Array.isArray(known)) known.push(value)
    else fields[name] = [known, value]
  }
  for (const name of nominatedBy(connection) ?? []) delete fields[name]
  return fields
}
