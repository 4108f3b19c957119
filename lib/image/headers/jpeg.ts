import { has, u16, u8 } from './bytes.ts'
import type { Draft, HeaderFacts } from './facts.ts'
import { orientationOf } from './tiff.ts'

/** Segments looked at. A file's author pushes against it; an extended XMP packet makes a few dozen. */
const MAX_SEGMENTS = 2000

/** SOF markers that stand for whole-frame decoding: progressive ones (ITU-T T.81 table B.1). */
const PROGRESSIVE = new Set([0xc2, 0xc6, 0xca, 0xce])

function isFrameHeader (marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

/** Markers that stand alone, without a length. */
function isBare (marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)
}

/** Walks the segments of a JPEG up to its first scan (ITU-T T.81 §B.1.1). */
export function sniffJpeg (bytes: Uint8Array): HeaderFacts {
  const facts: Draft = { format: 'jpeg', alpha: false, frames: 1 }
  let at = 2
  for (let n = 0; n < MAX_SEGMENTS; n++) {
    // Any number of fill bytes may precede a marker (§B.1.1.2), and decoders skip stray bytes.
    while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] !== 0xff && bytes[at + 1] !== 0)) at++
    const marker = u8(bytes, at + 1)
    if (Number.isNaN(marker) || marker === 0xd9) break
    if (isBare(marker)) {
      at += 2
      continue
    }
    const length = u16(bytes, at + 2)
    if (!(length >= 2)) break
    const segment = bytes.subarray(at + 4, at + 2 + length)
    if (marker === 0xe1 && has(segment, 0, 'Exif\0\0')) addOrientation(facts, segment.subarray(6))
    if (isFrameHeader(marker) && facts.progressive === undefined) addFrame(facts, marker, segment)
    if (marker === 0xda) {
      // Components in scans of their own are gathered whole, too.
      if (u8(segment, 0) < (facts.channels ?? 0)) facts.progressive = true
      break
    }
    at += 2 + length
  }
  return facts
}

function addOrientation (facts: Draft, exif: Uint8Array): void {
  const orientation = orientationOf(exif)
  if (orientation !== undefined) facts.orientation ??= orientation
}

function addFrame (facts: Draft, marker: number, segment: Uint8Array): void {
  const [bitDepth, height, width, channels] = [u8(segment, 0), u16(segment, 1), u16(segment, 3), u8(segment, 5)]
  facts.progressive = PROGRESSIVE.has(marker)
  if (width > 0 && height > 0) Object.assign(facts, { width, height })
  if (channels >= 1 && channels <= 4 && bitDepth >= 1 && bitDepth <= 16) Object.assign(facts, { bitDepth, channels })
  const factors = Array.from({ length: facts.channels ?? 0 }, (_, n) => u8(segment, 7 + 3 * n)).map(factor => [factor >> 4, factor & 15] as const)
  const stored = factors.reduce((sum, [across, down]) => sum + across * down, 0)
  const most = Math.max(...factors.map(([across]) => across)) * Math.max(...factors.map(([, down]) => down))
  if (stored > 0 && most > 0) facts.coefficients = stored / most
}
