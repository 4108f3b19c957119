import { text, u32 } from './bytes.ts'

/** Boxes of one level that are looked at. A file's author pushes against it. */
const MAX_BOXES = 2000

/** A box of the ISO base media format (ISO/IEC 14496-12 §4.2), without its header. */
export interface Box {
  readonly type: string
  /** Offsets of its content. The end may lie beyond the bytes at hand. */
  readonly start: number
  readonly end: number
}

/** The boxes between two offsets, as far as the bytes at hand go. */
export function boxesOf (bytes: Uint8Array, from: number, to: number): Box[] {
  const boxes: Box[] = []
  let at = from
  while (boxes.length < MAX_BOXES && at + 8 <= to) {
    const size = u32(bytes, at)
    if (Number.isNaN(size)) break
    const isLong = size === 1
    const length = isLong ? u32(bytes, at + 8) * 2 ** 32 + u32(bytes, at + 12) : size === 0 ? to - at : size
    const header = isLong ? 16 : 8
    if (!(length >= header)) break
    boxes.push({ type: text(bytes, at + 4, 4), start: at + header, end: Math.min(at + length, to) })
    at += length
  }
  return boxes
}

/** The boxes inside a box; none inside none. */
export function childrenOf (bytes: Uint8Array, box: Box | undefined): Box[] {
  return box === undefined ? [] : boxesOf(bytes, box.start, box.end)
}
