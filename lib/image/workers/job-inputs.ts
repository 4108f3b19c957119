import { once } from 'node:events'
import { Readable, type Duplex } from 'node:stream'
import { MediaError } from '../../errors.ts'
import type { StoredFile } from '../../sources/stored-file.ts'
import { CHUNK_BYTES, sendFrame } from './frames.ts'
import type { JobInput } from '../job.ts'
import type { JobMessage } from './worker-messages.ts'

export function isStored (input: JobInput): input is StoredFile {
  return !Buffer.isBuffer(input) && !(input instanceof Readable)
}

/** How an input is told to a worker. Plain data, and no more of a stored file than it needs. */
export function describeInput (input: JobInput): JobMessage['inputs'][number] {
  if (Buffer.isBuffer(input)) return { sent: input.length }
  if (input instanceof Readable) return { sent: null }
  const { path, revision, size, changed } = input
  return { path, revision, size, changed }
}

function tooLarge (limit: number): MediaError {
  return new MediaError('image-too-large', { detail: `The file of the image is larger than ${limit} bytes` })
}

/** @throws {MediaError} `image-too-large` for an input that is known to have more than `limit` bytes */
export function checkSizes (inputs: readonly JobInput[], limit: number): void {
  for (const input of inputs) {
    const size = Buffer.isBuffer(input) ? input.length : isStored(input) ? input.size : 0
    if (size > limit) throw tooLarge(limit)
  }
}

/** Destroys the streams among the inputs: nobody reads on. */
export function discardInputs (inputs: readonly JobInput[]): void {
  for (const input of inputs) if (input instanceof Readable) input.destroy()
}

/** Keeps the failure of a stream that nobody reads yet from ending the process: who reads it later is told. */
export function holdInputs (inputs: readonly JobInput[]): void {
  for (const input of inputs) if (input instanceof Readable) input.on('error', () => {})
}

/**
 * Sends what a worker cannot open itself, one input after the other, no faster than it reads.
 *
 * @param ended aborted when the job is over: the rest is not sent
 * @throws {MediaError} `image-too-large`; what a stream fails with; what `ended` was aborted with
 */
export async function sendInputs (channel: Duplex, inputs: readonly JobInput[], { limit, ended }: { limit: number, ended: AbortSignal }): Promise<void> {
  for (const input of inputs) {
    if (isStored(input)) continue
    let sent = 0
    for await (const bytes of Buffer.isBuffer(input) ? [input] : input as AsyncIterable<Uint8Array | string>) {
      const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
      sent += chunk.length
      if (sent > limit) throw tooLarge(limit)
      await sendChunks(channel, chunk, ended)
    }
    ended.throwIfAborted()
    sendFrame(channel, 'input-end')
  }
}

async function sendChunks (channel: Duplex, bytes: Buffer, ended: AbortSignal): Promise<void> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    ended.throwIfAborted()
    sendFrame(channel, 'chunk', bytes.subarray(start, start + CHUNK_BYTES))
    if (channel.writableNeedDrain) await once(channel, 'drain', { signal: ended })
  }
}
