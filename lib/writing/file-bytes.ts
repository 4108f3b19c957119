import type { FileHandle } from 'node:fs/promises'

/** Bytes that are read at once. */
const READ_BYTES = 1_048_576

/** All bytes of a file that is open, each chunk in memory of its own: whoever gets it may keep it. */
export async function * bytesOf (file: FileHandle): AsyncGenerator<Buffer> {
  let at = 0
  for (let chunk = await chunkAt(file, at); chunk.length > 0; chunk = await chunkAt(file, at)) {
    at += chunk.length
    yield chunk
  }
}

async function chunkAt (file: FileHandle, position: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(READ_BYTES), position })
  return buffer.subarray(0, bytesRead)
}
