import type { Writable } from 'node:stream'

/**
 * What a server and its image workers say to each other, over one pipe: frames of a byte that
 * tells the kind, four that tell the length of what follows (little endian), and the payload.
 */
export const frameKinds = ['hello', 'job', 'chunk', 'input-end', 'cancel', 'result', 'failure'] as const
export type FrameKind = typeof frameKinds[number]

const HEADER_BYTES = 5
/** Payloads up to this size are copied beside their header, which is cheaper than a second write. */
const JOIN_BYTES = 16 * 1024
/** Bytes of an input that go into one frame: a job that is cancelled waits for no more than these. */
export const CHUNK_BYTES = 1024 * 1024
/** Bytes of a job's description: the operations of a URL, which is itself bounded, and a few paths. */
export const JOB_BYTES = 1024 * 1024

/** The other side broke the protocol: nothing it says is to be believed any more. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault'
}

/** Who gets the frames. Both may throw {@link FrameFault}. */
export interface FrameReceiver {
  /** Where the payload of a frame goes that was just announced: a buffer of exactly `length` bytes. Checks that it is welcome, and no longer than it may be. */
  accept (kind: FrameKind, length: number): Buffer
  /** A frame that is whole. */
  receive (kind: FrameKind, payload: Buffer): void
}

/** Cuts what a pipe delivers into frames. Each byte is copied once, to where the receiver wants it. */
export class FrameReader {
  readonly #receiver: FrameReceiver
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerFilled = 0
  #kind: FrameKind = 'hello'
  #payload: Buffer | undefined
  #payloadFilled = 0

  constructor (receiver: FrameReceiver) {
    this.#receiver = receiver
  }

  /** @throws {FrameFault} for an unknown kind, and what the receiver refuses */
  push (bytes: Buffer): void {
    let offset = 0
    while (offset < bytes.length) {
      offset += this.#payload === undefined ? this.#readHeader(bytes, offset) : this.#readPayload(this.#payload, bytes, offset)
    }
  }

  #readHeader (bytes: Buffer, offset: number): number {
    const copied = bytes.copy(this.#header, this.#headerFilled, offset, offset + HEADER_BYTES - this.#headerFilled)
    this.#headerFilled += copied
    if (this.#headerFilled < HEADER_BYTES) return copied
    const kind = frameKinds[this.#header.readUInt8(0)]
    if (kind === undefined) throw new FrameFault('A frame of unknown kind')
    const length = this.#header.readUInt32LE(1)
    const payload = this.#receiver.accept(kind, length)
    this.#headerFilled = 0
    this.#kind = kind
    if (length === 0) this.#receiver.receive(kind, payload)
    else this.#payload = payload
    return copied
  }

  #readPayload (payload: Buffer, bytes: Buffer, offset: number): number {
    const copied = bytes.copy(payload, this.#payloadFilled, offset)
    this.#payloadFilled += copied
    if (this.#payloadFilled === payload.length) {
      this.#payload = undefined
      this.#payloadFilled = 0
      this.#receiver.receive(this.#kind, payload)
    }
    return copied
  }
}

/** Writes one frame whose payload is `parts` in a row. Large ones are not copied: they must not change until they are written. */
export function sendFrame (channel: Writable, kind: FrameKind, ...parts: readonly Buffer[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header.writeUInt8(frameKinds.indexOf(kind), 0)
  header.writeUInt32LE(length, 1)
  if (length <= JOIN_BYTES) {
    channel.write(Buffer.concat([header, ...parts]))
    return
  }
  channel.cork()
  for (const part of [header, ...parts]) channel.write(part)
  channel.uncork()
}

/** Writes one frame of JSON. */
export function sendJson (channel: Writable, kind: FrameKind, value: unknown): void {
  sendFrame(channel, kind, Buffer.from(JSON.stringify(value)))
}
