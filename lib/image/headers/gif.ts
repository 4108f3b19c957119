import { has, u16le, u8 } from './bytes.ts'
import type { Draft, HeaderFacts } from './facts.ts'

/** Whether these are the first bytes of a GIF of either version. */
export function isGif (bytes: Uint8Array): boolean {
  return has(bytes, 0, 'GIF87a') || has(bytes, 0, 'GIF89a')
}

/** Where the blocks after a colour table begin, whose presence and size a packed byte tells. */
function afterTable (at: number, packed: number): number {
  return (packed & 0x80) === 0 ? at : at + 3 * 2 ** ((packed & 7) + 1)
}

/** Where a chain of sub-blocks ends; NaN where it goes beyond the bytes at hand. */
function afterBlocks (bytes: Uint8Array, start: number): number {
  let at = start
  for (;;) {
    const length = u8(bytes, at)
    if (Number.isNaN(length)) return Number.NaN
    at += 1 + length
    if (length === 0) return at
  }
}

interface Seen { frames: number, loops: boolean, isTransparent: boolean, isWhole: boolean, right: number, bottom: number }

/** Walks the blocks of a GIF (GIF89a §§15–27) as far as the bytes at hand go. */
function walkBlocks (bytes: Uint8Array, start: number): Seen {
  const seen: Seen = { frames: 0, loops: false, isTransparent: false, isWhole: false, right: 0, bottom: 0 }
  let at = start
  while (at < bytes.length) {
    const block = u8(bytes, at)
    if (block === 0x3b) return { ...seen, isWhole: true }
    if (block === 0x21) {
      if (u8(bytes, at + 1) === 0xf9 && (u8(bytes, at + 3) & 1) === 1) seen.isTransparent = true
      if (u8(bytes, at + 1) === 0xff && has(bytes, at + 3, 'NETSCAPE2.0')) seen.loops = true
      at = afterBlocks(bytes, at + 2)
    } else if (block === 0x2c) {
      seen.frames++
      seen.right = Math.max(seen.right, u16le(bytes, at + 1) + u16le(bytes, at + 5) || 0)
      seen.bottom = Math.max(seen.bottom, u16le(bytes, at + 3) + u16le(bytes, at + 7) || 0)
      at = afterBlocks(bytes, afterTable(at + 10, u8(bytes, at + 9)) + 1)
    } else {
      return seen
    }
  }
  return seen
}

/** What a GIF's screen descriptor and its first blocks tell. */
export function sniffGif (bytes: Uint8Array): HeaderFacts {
  const facts: Draft = { format: 'gif', alpha: true }
  const [width, height, packed] = [u16le(bytes, 6), u16le(bytes, 8), u8(bytes, 10)]
  if (Number.isNaN(packed)) return facts
  const seen = walkBlocks(bytes, afterTable(13, packed))
  // The decoder enlarges the screen to hold every frame.
  if (width > 0 && height > 0) Object.assign(facts, { width: Math.max(width, seen.right), height: Math.max(height, seen.bottom) })
  if (seen.isWhole) facts.alpha = seen.isTransparent || seen.frames > 1
  if (seen.isWhole && seen.frames < 2) facts.frames = 1
  else if (seen.frames > 1 || seen.loops) facts.frames = 'several'
  return facts
}
