import { has, text, u32, u8 } from './bytes.ts'
import type { Draft, HeaderFacts } from './facts.ts'
import { orientationOf } from './tiff.ts'

export const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n'

/** Chunks looked at. A file's author pushes against it. */
const MAX_CHUNKS = 2000

/** Samples of a pixel by colour type (PNG 3rd edition §11.2.1); a palette becomes three. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 }

/** Reads a PNG's header and walks its chunks up to the pixels. */
export function sniffPng (bytes: Uint8Array): HeaderFacts {
  const facts: Draft = { format: 'png', alpha: true }
  if (!has(bytes, 12, 'IHDR') || u32(bytes, 8) !== 13) return facts
  const [width, height, colour] = [u32(bytes, 16), u32(bytes, 20), u8(bytes, 25)]
  if (width > 0 && height > 0) Object.assign(facts, { width, height })
  const channels = CHANNELS[colour]
  if (channels === undefined) return facts
  facts.channels = channels
  if (u8(bytes, 24) >= 1 && u8(bytes, 24) <= 16) facts.bitDepth = u8(bytes, 24)
  if (!Number.isNaN(u8(bytes, 28))) facts.progressive = u8(bytes, 28) !== 0
  walkChunks(bytes, facts, colour)
  return facts
}

function walkChunks (bytes: Uint8Array, facts: Draft, colour: number): void {
  let isTransparent = (colour & 4) !== 0
  let at = 33
  for (let n = 0; n < MAX_CHUNKS; n++) {
    const length = u32(bytes, at)
    const name = text(bytes, at + 4, 4)
    if (name === 'tRNS') isTransparent = true
    if (name === 'acTL') addFrames(facts, u32(bytes, at + 8))
    if (name === 'eXIf') addOrientation(facts, bytes.subarray(at + 8, at + 8 + length))
    if (name === 'IDAT') {
      facts.alpha = isTransparent
      // A transparent colour becomes a channel of its own.
      if (isTransparent && (colour & 4) === 0) facts.channels = (facts.channels ?? 3) + 1
      facts.frames ??= 1
      return
    }
    if (Number.isNaN(length) || length > 0x7fffffff) return
    at += 12 + length
  }
}

function addFrames (facts: Draft, frames: number): void {
  if (frames > 0) facts.frames = frames
}

function addOrientation (facts: Draft, exif: Uint8Array): void {
  const orientation = orientationOf(exif)
  if (orientation !== undefined) facts.orientation = orientation
}
