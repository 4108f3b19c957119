import { close, constants, fstat, futimes, open, read, type BigIntStats } from 'node:fs'
import { errorCode } from './disk-faults.ts'
import { readFully } from '../sources/chunk-pool.ts'
import { revisionOf, type StoredFile } from '../sources/stored-file.ts'
import { isWhole, parseRecord, type RecordHeader } from './record.ts'
import type { VariantKey } from './store.ts'

/** Bytes of the first read: with it nearly every variant is there, header and body. */
const FIRST_READ_BYTES = 65_536

/** Bytes of the first read where only the header is wanted. */
const HEADER_READ_BYTES = 2048

/** Bodies of up to this many bytes are read whole; longer ones are streamed. A client that reads slowly holds as much. */
export const WHOLE_BODY_BYTES = 1_048_576

/** The most buffers for first reads that wait for the next one. */
const MAX_SPARE = 16

// NOFOLLOW, NONBLOCK: a link or a FIFO in a variant's place is neither followed nor waited for.
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** What is in the place of a variant, but is none. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord'
}

/** A variant's header, with its body where that is short, else the file it lies in. */
export interface ReadRecord {
  readonly header: RecordHeader
  readonly body?: Buffer
  readonly file?: StoredFile
}

/** Reads stored variants: for most of them one open and one read. */
export class RecordReader {
  readonly #spare: Buffer[] = []

  /**
   * @param isUse whether it counts as a use, from which its age runs
   * @throws {DamagedRecord} where no whole record of this key lies there
   * @throws as the file system does, ENOENT among them
   */
  async read (path: string, key: VariantKey, isUse: boolean): Promise<ReadRecord> {
    const fd = await openFile(path)
    const first = this.#spare.pop() ?? Buffer.allocUnsafeSlow(FIRST_READ_BYTES)
    try {
      const count = await readSome(fd, first)
      const { header, bytes } = await headerOf(fd, first.subarray(0, count), key)
      if (isUse) await touched(fd)
      return header.size <= WHOLE_BODY_BYTES ? { header, body: await bodyOf(fd, bytes, header) } : { header, file: await fileOf(fd, path, header) }
    } finally {
      if (this.#spare.length < MAX_SPARE) this.#spare.push(first)
      close(fd)
    }
  }

  /** The header alone. @throws as `read` */
  async readHeader (path: string): Promise<RecordHeader> {
    const fd = await openFile(path)
    try {
      const first = Buffer.allocUnsafe(HEADER_READ_BYTES)
      return (await headerOf(fd, first.subarray(0, await readSome(fd, first)), undefined)).header
    } finally {
      close(fd)
    }
  }
}

async function headerOf (fd: number, first: Buffer, key: VariantKey | undefined): Promise<{ header: RecordHeader, bytes: Buffer }> {
  const header = parseRecord(first, key)
  if (typeof header === 'object') return { header, bytes: first }
  if (header === undefined) throw new DamagedRecord('Not a variant')
  const bytes = await readMore(fd, first, header)
  const parsed = parseRecord(bytes, key)
  if (typeof parsed !== 'object') throw new DamagedRecord('Its header is damaged')
  return { header: parsed, bytes }
}

/** The body, out of what was read already and the rest of the file, in a buffer of its own. */
async function bodyOf (fd: number, bytes: Buffer, header: RecordHeader): Promise<Buffer> {
  const body = Buffer.allocUnsafeSlow(header.size)
  const there = bytes.copy(body, 0, header.start)
  const count = there === header.size ? there : there + await readFully(fd, body, there, header.size - there, header.start + there)
  if (count < header.size || !isWhole(header, body)) throw new DamagedRecord('Its body is damaged')
  return body
}

async function readMore (fd: number, first: Buffer, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  first.copy(bytes)
  const count = first.length + await readFully(fd, bytes, first.length, length - first.length, first.length)
  return bytes.subarray(0, count)
}

async function fileOf (fd: number, path: string, header: RecordHeader): Promise<StoredFile> {
  const stats = await statsOf(fd)
  const size = Number(stats.size)
  if (size !== header.start + header.size) throw new DamagedRecord('Its length is wrong')
  return { path, revision: revisionOf(stats), size, changed: Number(stats.ctimeMs) }
}

function openFile (path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, READ_FLAGS, (error, fd) => error === null ? resolve(fd) : reject(error))
  })
}

/** Codes with which a read fails of what is no file: a directory, a FIFO, a socket. */
const noFile = new Set(['EISDIR', 'ESPIPE', 'EAGAIN', 'EINVAL'])

/** One read: a file gives what is asked for, or all it has. Where it ever gave less, the rest is read later. */
function readSome (fd: number, buffer: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, 0, (error, count) => {
      if (error === null) resolve(count)
      else reject(noFile.has(errorCode(error)) ? new DamagedRecord('Not a file') : error)
    })
  })
}

function statsOf (fd: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, stats) => error === null ? resolve(stats) : reject(error))
  })
}

/** Sets the time of the last use. Where that is not allowed, it only looks older than it is. */
function touched (fd: number): Promise<void> {
  const now = new Date()
  return new Promise(resolve => futimes(fd, now, now, () => resolve()))
}
