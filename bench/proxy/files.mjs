import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const KIB = 1024
export const MIB = 1024 * KIB

/** Bytes of the file that nobody should hold in memory. */
export const STREAM_BYTES = 500 * MIB

/** What the origin serves slowly is below this directory. */
export const SLOW = 'slow'

/** Bytes per second of a slow answer: 20 KB take half a second, in which whoever wants the same can come. */
export const SLOW_RATE = '40k'

/** @returns {Record<string, Buffer>} the bytes of those that are compared, by name */
export function writeFiles (directory) {
  const files = { '20k.jpg': randomBytes(20 * KIB), '10m.bin': randomBytes(10 * MIB) }
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes)
  mkdirSync(join(directory, SLOW))
  writeFileSync(join(directory, SLOW, '20k.jpg'), files['20k.jpg'])
  // sparse: it takes no place, and no time to write
  const descriptor = openSync(join(directory, '500m.bin'), 'w')
  ftruncateSync(descriptor, STREAM_BYTES)
  closeSync(descriptor)
  return files
}
