import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream'
import { MediaError } from '../errors.ts'
import { hashCheck, type HashCheck, type PromisedHash } from './promised-hash.ts'

/** A body, and what is promised of it. */
export interface PromisedBody {
  readonly body: Buffer | Readable
  readonly promise: PromisedHash
  /** The key of the file, for the log. */
  readonly key: string
  /** The upstream's. */
  readonly name: string
}

/**
 * The same body, if it is what was promised. One that came whole is known before anything of it
 * is sent. Of one that streams the last chunk is held back until its hash is known, so that a
 * client never has all of what is wrong, and a cache never the end of it.
 *
 * @throws {MediaError} `upstream-content`, or ends the stream with it
 */
export function verifiedBody (promised: PromisedBody): Buffer | Readable {
  const { body } = promised
  const check = hashCheck(promised.promise)
  if (Buffer.isBuffer(body)) {
    check.update(body)
    const failure = failureOf(check, promised)
    if (failure !== undefined) throw failure
    return body
  }
  const verified = new VerifiedStream(check, promised)
  pipeline(body, verified, () => {}) // the reader is told
  return verified
}

class VerifiedStream extends Transform {
  readonly #check: HashCheck
  readonly #promised: PromisedBody
  #last: Buffer | undefined

  constructor (check: HashCheck, promised: PromisedBody) {
    super()
    this.#check = check
    this.#promised = promised
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#check.update(chunk)
    const before = this.#last
    this.#last = chunk
    done(null, before)
  }

  override _flush (done: TransformCallback): void {
    const failure = failureOf(this.#check, this.#promised)
    if (failure === undefined) done(null, this.#last)
    else done(failure)
  }
}

function failureOf (check: HashCheck, { promise, key, name }: PromisedBody): MediaError | undefined {
  const { isKept, hash } = check.finish()
  if (isKept) return undefined
  return new MediaError('upstream-content', {
    detail: `The file that ${name} sent does not have the hash that was promised for it`,
    context: { key, expected: promise.hashes.map(each => `${promise.algorithm}-${each}`), received: hash }
  })
}
