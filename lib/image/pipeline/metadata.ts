import type { Exif } from 'sharp'

const COPYRIGHT = 0x82_98
const ARTIST = 0x01_3b
const ASCII = 2

/** Entries of a directory that are looked at: whoever wrote the file pushes against it. */
const MAX_ENTRIES = 200
/** Bytes of one text: an EXIF segment of a JPEG is no longer than 64 KiB as a whole. */
const MAX_TEXT = 1024

/**
 * What stays of the metadata by default: who made the picture, and who has the rights (EXIF
 * 2.32, tags 0x013B and 0x8298). Undefined where it tells neither. Damaged metadata tell nothing.
 */
export function copyrightOf (exif: Buffer | undefined): Exif | undefined {
  if (exif === undefined) return undefined
  const tiff = exif.subarray(0, 6).toString('latin1') === 'Exif\0\0' ? exif.subarray(6) : exif
  const texts = textsOf(tiff)
  const copyright = texts.get(COPYRIGHT)
  const artist = texts.get(ARTIST)
  if (copyright === undefined && artist === undefined) return undefined
  return { IFD0: { ...(copyright === undefined ? {} : { Copyright: copyright }), ...(artist === undefined ? {} : { Artist: artist }) } }
}

/** Texts of the first directory (TIFF 6.0 §2) by tag. */
function textsOf (tiff: Buffer): Map<number, string> {
  const found = new Map<number, string>()
  const order = tiff.toString('latin1', 0, 2)
  if (tiff.length < 14 || (order !== 'II' && order !== 'MM')) return found
  const isLittle = order === 'II'
  const u16 = (at: number): number => isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at)
  const u32 = (at: number): number => isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at)
  const start = u32(4)
  const count = start + 2 <= tiff.length ? Math.min(u16(start), MAX_ENTRIES) : 0
  for (let index = 0; index < count; index++) {
    const at = start + 2 + 12 * index
    if (at + 12 > tiff.length) break
    const length = u32(at + 4)
    if (u16(at + 2) !== ASCII || length > MAX_TEXT) continue
    const from = length <= 4 ? at + 8 : u32(at + 8)
    const text = tiff.toString('utf8', from, Math.min(from + length, tiff.length)).replace(/\0[^]*$/, '').trim()
    if (text !== '') found.set(u16(at), text)
  }
  return found
}
