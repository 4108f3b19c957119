import { crc32 } from 'node:zlib'
import type { InputFormat } from '../format.ts'
import { has, text, u16, u32, u32le, u8 } from '../headers/bytes.ts'

/*
 * Files without what they tell about themselves: pixels, colours and animation stay, byte by byte. What is
 * not known to belong to these goes, and so does whatever follows the picture's end.
 */

/** Parts of a file in order; undefined where it is not laid out as its format says. */
type Parts = Buffer[] | undefined

const writers: { readonly [F in InputFormat]?: (bytes: Buffer, orientation: number) => Parts } = { jpeg: bareJpeg, png: barePng, webp: bareWebp, gif: bareGif }

/**
 * The same picture without metadata; undefined where this cannot be had without encoding it anew.
 *
 * @param orientation of EXIF: it stays, alone, where it is not 1
 */
export function bare (bytes: Buffer, format: InputFormat, orientation: number): Buffer | undefined {
  const parts = writers[format]?.(bytes, orientation)
  return parts === undefined ? undefined : Buffer.concat(parts)
}

/** EXIF data of one entry (Exif 2.32 §4.6.4). */
function exifOf (orientation: number): Buffer {
  return Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0])
}

/** A segment that belongs to the picture (ITU-T T.81 §B.1.1): tables and frames, and what tells how colours are meant. */
function isPicture (marker: number, segment: Uint8Array): boolean {
  if (marker === 0xe0) return has(segment, 0, 'JFIF\0')
  if (marker === 0xe2) return has(segment, 0, 'ICC_PROFILE\0')
  if (marker === 0xee) return has(segment, 0, 'Adobe')
  return marker >= 0xc0 && marker < 0xe0
}

function bareJpeg (bytes: Buffer, orientation: number): Parts {
  const exif = exifOf(orientation)
  const parts = [bytes.subarray(0, 2)]
  // Behind a JFIF header, which has to be the first.
  const turned = orientation === 1 ? [] : [Buffer.from([0xff, 0xe1, 0, exif.length + 8]), Buffer.from('Exif\0\0'), exif]
  let at = 2
  for (;;) {
    const marker = u8(bytes, at + 1)
    if (bytes[at] !== 0xff || Number.isNaN(marker)) return undefined
    if (marker === 0xff) {
      at++ // fill bytes may precede a marker
      continue
    }
    if (marker === 0xd9) return [...parts, bytes.subarray(at, at + 2)]
    const end = at + 2 + u16(bytes, at + 2)
    if (!(end >= at + 4 && end <= bytes.length)) return undefined
    if (marker !== 0xe0) parts.push(...turned.splice(0))
    if (isPicture(marker, bytes.subarray(at + 4, end))) parts.push(bytes.subarray(at, end))
    at = marker === 0xda ? scanEnd(bytes, end) : end
    if (marker === 0xda) parts.push(bytes.subarray(end, at))
  }
}

/** Where coded data end: at a marker that is neither a stuffed byte nor a restart. */
function scanEnd (bytes: Buffer, start: number): number {
  let at = bytes.indexOf(0xff, start)
  while (at !== -1) {
    const next = u8(bytes, at + 1)
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at
    at = bytes.indexOf(0xff, next === 0xff ? at + 1 : at + 2)
  }
  return bytes.length
}

/** Chunks beside the critical ones that tell how the picture is to be shown (PNG 3rd edition §11.3). */
const shownBy: ReadonlySet<string> = new Set(['tRNS', 'cHRM', 'gAMA', 'iCCP', 'sBIT', 'sRGB', 'cICP', 'mDCV', 'cLLI', 'bKGD', 'hIST', 'pHYs', 'sPLT', 'acTL', 'fcTL', 'fdAT'])

function barePng (bytes: Buffer, orientation: number): Parts {
  const parts = [bytes.subarray(0, 8)]
  for (let at = 8; at < bytes.length;) {
    const end = at + 12 + u32(bytes, at)
    if (!(end <= bytes.length)) return undefined
    const kind = text(bytes, at + 4, 4)
    const isCritical = (u8(bytes, at + 4) & 0x20) === 0
    if (isCritical || shownBy.has(kind)) parts.push(bytes.subarray(at, end))
    if (kind === 'IHDR' && orientation !== 1) parts.push(pngChunk('eXIf', exifOf(orientation)))
    if (kind === 'IEND') return parts
    at = end
  }
  return undefined
}

function pngChunk (kind: string, content: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(kind), content, Buffer.alloc(4)])
  chunk.writeUInt32BE(content.length, 0)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return chunk
}

/** Chunks of a WebP that are the picture (RFC 9649 §2.7). */
const webpChunks: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANIM', 'ANMF', 'ICCP'])

/** Flags of VP8X that say that EXIF or XMP follow. */
const HAS_EXIF = 0x08
const HAS_XMP = 0x04

function bareWebp (bytes: Buffer, orientation: number): Parts {
  const parts: Buffer[] = []
  const end = Math.min(8 + u32le(bytes, 4), bytes.length)
  const isTurned = orientation !== 1 && has(bytes, 12, 'VP8X')
  for (let at = 12; at + 8 <= end;) {
    const next = at + 8 + u32le(bytes, at + 4) + u32le(bytes, at + 4) % 2
    if (next > bytes.length) return undefined
    const kind = text(bytes, at, 4)
    if (webpChunks.has(kind)) parts.push(kind === 'VP8X' ? flagged(bytes.subarray(at, next), isTurned) : bytes.subarray(at, next))
    at = next
  }
  if (isTurned) parts.push(Buffer.from('EXIF\x1a\0\0\0', 'latin1'), exifOf(orientation))
  const head = Buffer.from('RIFF\0\0\0\0WEBP')
  head.writeUInt32LE(parts.reduce((sum, part) => sum + part.length, 4), 4)
  return [head, ...parts]
}

function flagged (chunk: Buffer, isTurned: boolean): Buffer {
  const changed = Buffer.from(chunk)
  changed[8] = u8(chunk, 8) & ~(HAS_EXIF | HAS_XMP) | (isTurned ? HAS_EXIF : 0)
  return changed
}

/** Extensions of a GIF by their label (GIF89a §§23–26), and applications whose blocks change what is seen. */
const GRAPHIC_CONTROL = 0xf9
const PLAIN_TEXT = 0x01
const APPLICATION = 0xff
const gifApplications = /^(?:NETSCAPE2\.0|ANIMEXTS1\.0|ICCRGBG1012)$/

function bareGif (bytes: Buffer): Parts {
  let at = 13 + tableBytes(u8(bytes, 10))
  const parts = [bytes.subarray(0, at)]
  for (;;) {
    const block = u8(bytes, at)
    if (block === 0x3b) return [...parts, bytes.subarray(at, at + 1)]
    const isExtension = block === 0x21
    if (!isExtension && block !== 0x2c) return undefined
    const label = u8(bytes, at + 1)
    const end = afterBlocks(bytes, isExtension ? at + 2 : at + 11 + tableBytes(u8(bytes, at + 9)))
    const stays = !isExtension || label === GRAPHIC_CONTROL || label === PLAIN_TEXT || (label === APPLICATION && gifApplications.test(text(bytes, at + 3, 11)))
    if (stays) parts.push(bytes.subarray(at, end))
    at = end
  }
}

function tableBytes (packed: number): number {
  return (packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1)
}

/** Behind a chain of sub-blocks; beyond the end where it has none. */
function afterBlocks (bytes: Buffer, start: number): number {
  let at = start
  while (u8(bytes, at) > 0) at += 1 + u8(bytes, at)
  return at + 1
}
