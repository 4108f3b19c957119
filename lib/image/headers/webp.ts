import { has, text, u16le, u24le, u32le, u8 } from './bytes.ts'
import type { Draft, HeaderFacts } from './facts.ts'
import { orientationOf } from './tiff.ts'

/** Chunks looked at. A file's author pushes against it. */
const MAX_CHUNKS = 2000

/** Whether these are the first bytes of a WebP. */
export function isWebp (bytes: Uint8Array): boolean {
  return has(bytes, 0, 'RIFF') && has(bytes, 8, 'WEBP')
}

/** What the first chunk of a WebP tells (RFC 9649 §2), and its EXIF data where that lies near. */
export function sniffWebp (bytes: Uint8Array): HeaderFacts {
  const kind = text(bytes, 12, 4)
  if (kind === 'VP8X') return sniffExtended(bytes)
  if (kind === 'VP8L') return sniffLossless(bytes)
  const facts: Draft = { format: 'webp', alpha: kind !== 'VP8 ' }
  if (kind !== 'VP8 ') return facts
  // RFC 6386 §9.1: a key frame's start code, then 14 bits of width and of height.
  const [width, height] = [u16le(bytes, 26) & 0x3fff, u16le(bytes, 28) & 0x3fff]
  if (has(bytes, 23, '\x9d\x01\x2a') && width > 0 && height > 0) Object.assign(facts, { width, height })
  return Object.assign(facts, { channels: 3, bitDepth: 8, frames: 1 })
}

/** RFC 9649 §3.4: a signature byte, then 14 bits each of width − 1 and height − 1, and whether alpha is used. */
function sniffLossless (bytes: Uint8Array): HeaderFacts {
  const facts: Draft = { format: 'webp', alpha: true, frames: 1, bitDepth: 8 }
  const bits = u32le(bytes, 21)
  if (u8(bytes, 20) !== 0x2f || Number.isNaN(bits)) return facts
  facts.alpha = ((bits >>> 28) & 1) === 1
  return Object.assign(facts, { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, channels: facts.alpha ? 4 : 3 })
}

function sniffExtended (bytes: Uint8Array): HeaderFacts {
  const facts: Draft = { format: 'webp', alpha: true, bitDepth: 8 }
  const flags = u8(bytes, 20)
  const [width, height] = [u24le(bytes, 24) + 1, u24le(bytes, 27) + 1]
  if (Number.isNaN(height)) return facts
  facts.alpha = (flags & 0x10) !== 0
  Object.assign(facts, { width, height, channels: facts.alpha ? 4 : 3, frames: (flags & 0x02) === 0 ? 1 : 'several' })
  if ((flags & 0x08) !== 0) addOrientation(facts, bytes)
  return facts
}

function addOrientation (facts: Draft, bytes: Uint8Array): void {
  let at = 12
  for (let n = 0; n < MAX_CHUNKS && at < bytes.length; n++) {
    const length = u32le(bytes, at + 4)
    if (has(bytes, at, 'EXIF')) {
      const exif = bytes.subarray(at + 8, at + 8 + length)
      const orientation = orientationOf(has(exif, 0, 'Exif\0\0') ? exif.subarray(6) : exif)
      if (orientation !== undefined) facts.orientation = orientation
      return
    }
    at += 8 + length + length % 2
  }
}
