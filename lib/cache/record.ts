import { crc32 } from 'node:zlib'
import type { NewVariant, VariantFacts, VariantKey } from './store.ts'

/** The most tags of a variant. Whoever configures tags pushes against it. */
export const MAX_TAGS = 16

/** Bytes of one tag. A long path of an original, which a client chooses, pushes against it. */
export const MAX_TAG_BYTES = 2048

/** Bytes of the facts as JSON: sixteen tags of which every character is escaped. */
const MAX_FACTS_BYTES = 256 * 1024

/** The longest body that a header can name. */
export const MAX_BODY_BYTES = 0xffff_ffff

/** "FMV" and the version of this layout: another version is foreign, so it is a miss. */
const MAGIC = 0x46_4d_56_01

/**
 * magic, length of the facts, length of the body, CRC-32 of the body, CRC-32 of all that
 * precedes the body but this field: five unsigned 32-bit numbers, big-endian.
 */
const PREFIX_BYTES = 20

/** The longest header. */
export const MAX_HEADER_BYTES = PREFIX_BYTES + MAX_FACTS_BYTES

const printable = /^[\x20-\x7e]{1,256}$/

/** The header of a stored variant, read. */
export interface RecordHeader {
  readonly facts: VariantFacts
  /** Where the body begins, in bytes. */
  readonly start: number
  /** Bytes of the body. */
  readonly size: number
  /** CRC-32 of the body. */
  readonly checksum: number
}

/** Why a variant cannot be kept, or undefined. */
export function refusalOf ({ bytes, ...facts }: NewVariant): string | undefined {
  return bytes.length > MAX_BODY_BYTES ? `Expected at most ${MAX_BODY_BYTES} bytes but received ${bytes.length}` : refusalOfFacts(facts)
}

/** Why a variant with such facts cannot be kept, or undefined. */
export function refusalOfFacts (facts: VariantFacts): string | undefined {
  return isSound(facts) ? undefined : `Expected a media type and at most ${MAX_TAGS} tags of at most ${MAX_TAG_BYTES} bytes but received others`
}

function isSound ({ type, tags, quality }: VariantFacts): boolean {
  return typeof type === 'string' && printable.test(type) && Array.isArray(tags) && tags.length <= MAX_TAGS &&
    tags.every(tag => typeof tag === 'string' && tag !== '' && tag.length <= MAX_TAG_BYTES && Buffer.byteLength(tag) <= MAX_TAG_BYTES) &&
    (quality === undefined || Number.isFinite(quality))
}

/** What stands before the body where a variant is kept as one run of bytes. Its key is in it: a copy under another name is foreign. */
export function recordHeader (key: VariantKey, { bytes, ...facts }: NewVariant): Buffer {
  return headerFor(key, facts, { size: bytes.length, checksum: crc32(bytes) })
}

/** The same, of a body that is not in memory: as long for every size and checksum. */
export function headerFor (key: VariantKey, { type, tags, quality }: VariantFacts, { size, checksum }: Pick<RecordHeader, 'size' | 'checksum'>): Buffer {
  const facts = Buffer.from(JSON.stringify({ key, type, tags, quality }))
  const header = Buffer.allocUnsafe(PREFIX_BYTES + facts.length)
  header.writeUInt32BE(MAGIC, 0)
  header.writeUInt32BE(facts.length, 4)
  header.writeUInt32BE(size, 8)
  header.writeUInt32BE(checksum, 12)
  facts.copy(header, PREFIX_BYTES)
  header.writeUInt32BE(headerChecksum(header), 16)
  return header
}

/**
 * Reads a header from the first bytes of a record.
 *
 * @returns how many bytes are needed, where there are too few; undefined where it is damaged, or no record of this key
 */
export function parseRecord (bytes: Buffer, key: VariantKey | undefined): RecordHeader | number | undefined {
  if (bytes.length < PREFIX_BYTES) return undefined
  const factsBytes = bytes.readUInt32BE(4)
  if (bytes.readUInt32BE(0) !== MAGIC || factsBytes > MAX_FACTS_BYTES) return undefined
  const start = PREFIX_BYTES + factsBytes
  if (bytes.length < start) return start
  if (headerChecksum(bytes.subarray(0, start)) !== bytes.readUInt32BE(16)) return undefined
  const facts = parseFacts(bytes.toString('utf8', PREFIX_BYTES, start), key)
  return facts === undefined ? undefined : { facts, start, size: bytes.readUInt32BE(8), checksum: bytes.readUInt32BE(12) }
}

/** Whether a body is the one its header was written for. */
export function isWhole ({ size, checksum }: RecordHeader, body: Buffer): boolean {
  return body.length === size && crc32(body) === checksum
}

function headerChecksum (header: Buffer): number {
  return crc32(header.subarray(PREFIX_BYTES), crc32(header.subarray(0, 16)))
}

function parseFacts (json: string, key: VariantKey | undefined): VariantFacts | undefined {
  try {
    const { key: own, type, tags, quality } = JSON.parse(json) as VariantFacts & { key: unknown }
    const facts = { type, tags, quality }
    return (key === undefined || own === key) && isSound(facts) ? facts : undefined
  } catch {
    return undefined // not JSON, or not an object: the checksum is of someone else's making
  }
}
