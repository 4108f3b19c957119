import type { FileHandle } from 'node:fs/promises'

/** Bytes that are read at once. */
const READ_BYTES = 1_048_576

/** All bytes of a file that is open, each chunk in memory of its own: whoever gets it may keep it. */
export async function * bytesOf (file: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(READ_BYTES), position: at })
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
