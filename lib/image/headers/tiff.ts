import { u16, u16le, u32, u32le, u8 } from './bytes.ts'
import type { Draft, HeaderFacts } from './facts.ts'

/** Entries of one directory that are looked at. A file's author pushes against it: real ones have under 100. */
const MAX_ENTRIES = 512

const TAG = { width: 256, height: 257, bits: 258, photometric: 262, orientation: 274, samples: 277, extra: 338 } as const

/** The first directory of a TIFF structure, with numbers of its byte order. */
interface Directory {
  /** Values by tag, the first of each. */
  readonly values: ReadonlyMap<number, number>
  readonly hasNext: boolean
}

/** Numbers in a byte order. */
export interface Order {
  readonly short: (bytes: Uint8Array, at: number) => number
  readonly long: (bytes: Uint8Array, at: number) => number
  /** A number of a BigTIFF; exact up to 2^53, beyond the end of any file above. */
  readonly big: (bytes: Uint8Array, at: number) => number
}

const ORDERS: Readonly<Record<'II' | 'MM', Order>> = {
  II: { short: u16le, long: u32le, big: (bytes, at) => u32le(bytes, at) + u32le(bytes, at + 4) * 2 ** 32 },
  MM: { short: u16, long: u32, big: (bytes, at) => u32(bytes, at) * 2 ** 32 + u32(bytes, at + 4) }
}

/** One entry of a directory. */
export interface Field {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Where its first value lies: in the entry, if all of them fit there. */
  readonly at: number
}

/** Bytes of one value by type (TIFF 6.0 §2), of those that are read. */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1 }

/** The byte order that the first two bytes name. */
export function orderOf (bytes: Uint8Array): Order | undefined {
  if (u8(bytes, 0) === 0x49 && u8(bytes, 1) === 0x49) return ORDERS.II
  return u8(bytes, 0) === 0x4d && u8(bytes, 1) === 0x4d ? ORDERS.MM : undefined
}

/** The entries of a directory that are there, at `first` or after it. Where their values lie may be anywhere. */
export function * fieldsAt (bytes: Uint8Array, first: number, { order, count, isBig = false }: { order: Order, count: number, isBig?: boolean }): Generator<Field> {
  const [size, room, long] = isBig ? [20, 8, order.big] : [12, 4, order.long]
  for (let n = 0; n < count; n++) {
    const entry = first + n * size
    const inside = entry + size - room
    if (Number.isNaN(order.long(bytes, inside))) return
    const type = order.short(bytes, entry + 2)
    const values = long(bytes, entry + 4)
    yield { tag: order.short(bytes, entry), type, count: values, at: (SIZES[type] ?? 0) * values <= room ? inside : long(bytes, inside) }
  }
}

/**
 * Reads the first directory, as TIFF 6.0 §2 and BigTIFF lay it out. EXIF data has the same shape.
 *
 * @returns undefined where it lies beyond the bytes at hand
 */
export function readDirectory (bytes: Uint8Array): Directory | undefined {
  const order = orderOf(bytes)
  if (order === undefined) return undefined
  const isBig = order.short(bytes, 2) === 43
  const start = isBig ? order.big(bytes, 8) : order.long(bytes, 4)
  const count = isBig ? order.big(bytes, start) : order.short(bytes, start)
  if (!(count > 0 && count <= MAX_ENTRIES)) return undefined
  const [first, size] = isBig ? [start + 8, 20] : [start + 2, 12]
  const values = new Map<number, number>()
  for (const { tag, type, at } of fieldsAt(bytes, first, { order, count, isBig })) values.set(tag, type === 3 ? order.short(bytes, at) : order.long(bytes, at))
  const next = isBig ? order.big(bytes, first + count * size) : order.long(bytes, first + count * size)
  return { values, hasNext: next > 0 }
}

/** Adds what a number tells, unless it is out of its range. */
function within (value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined
}

/** The EXIF orientation of a TIFF structure (Exif 2.32 §4.6.4), 1 to 8. */
export function orientationOf (exif: Uint8Array): number | undefined {
  return within(readDirectory(exif)?.values.get(TAG.orientation), 1, 8)
}

/** Whether these are the first bytes of a TIFF, classic or big. */
export function isTiff (bytes: Uint8Array): boolean {
  const version = orderOf(bytes)?.short(bytes, 2)
  return version === 42 || version === 43
}

/** What the first directory of a TIFF tells. It may lie at the file's end: then nothing but the format is known. */
export function sniffTiff (bytes: Uint8Array): HeaderFacts {
  const directory = readDirectory(bytes)
  const facts: Draft = { format: 'tiff', alpha: true }
  if (directory === undefined) return facts
  const { values, hasNext } = directory
  const [width, height] = [within(values.get(TAG.width), 1, 2 ** 31), within(values.get(TAG.height), 1, 2 ** 31)]
  if (width !== undefined && height !== undefined) Object.assign(facts, { width, height })
  const orientation = within(values.get(TAG.orientation), 1, 8)
  if (orientation !== undefined) facts.orientation = orientation
  const bitDepth = within(values.get(TAG.bits) ?? 1, 1, 64)
  if (bitDepth !== undefined) facts.bitDepth = bitDepth
  const channels = within(values.get(TAG.samples) ?? 1, 1, 64)
  if (channels !== undefined) facts.channels = channels
  facts.alpha = values.has(TAG.extra) || (channels ?? 4) > (values.get(TAG.photometric) === 5 ? 4 : 3)
  facts.frames = hasNext ? 'several' : 1
  return facts
}
