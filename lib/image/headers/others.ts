import { has, u16le, u32, u32le, u8 } from './bytes.ts'
import type { OtherFormat } from './facts.ts'

/** First bytes by which a format is known, and its name. */
const SIGNATURES: readonly (readonly [signature: string, name: string])[] = [
  ['%PDF-', 'a PDF'],
  ['8BPS', 'a Photoshop file'],
  ['\xff\x0a', 'a JPEG XL'],
  ['\0\0\0\x0cJXL \r\n\x87\n', 'a JPEG XL'],
  ['\0\0\0\x0cjP  \r\n\x87\n', 'a JPEG 2000'],
  ['\xff\x4f\xff\x51', 'a JPEG 2000'],
  ['II\xbc\x01', 'a JPEG XR'],
  ['IIRO', 'a camera\'s raw file'],
  ['IIU\0', 'a camera\'s raw file'],
  ['FUJIFILMCCD-RAW', 'a camera\'s raw file'],
  ['\x1f\x8b', 'a gzip-compressed file'],
  ['\x28\xb5\x2f\xfd', 'a zstd-compressed file'],
  ['PK\x03\x04', 'a zip archive'],
  ['qoif', 'a QOI'],
  ['icns', 'an Apple icon'],
  ['gimp xcf', 'a GIMP file'],
  ['v/1\x01', 'an OpenEXR'],
  ['#?RADIANCE', 'a Radiance picture'],
  ['DDS ', 'a DirectDraw surface'],
  ['SIMPLE  =', 'a FITS'],
  ['FLV', 'a film'],
  ['\x1a\x45\xdf\xa3', 'a film'],
  ['OggS', 'a film or sound'],
  ['ID3', 'sound'],
  ['\xd7\xcd\xc6\x9a', 'a Windows metafile'],
  ['%!PS', 'a PostScript file'],
  ['\xc5\xd0\xd3\xc6', 'a PostScript file'],
  ['\x7fELF', 'a program'],
  ['MZ', 'a program']
]

/** Names a format that is not accepted, so that a refusal can. */
export function sniffOther (bytes: Uint8Array): OtherFormat | undefined {
  const known = SIGNATURES.find(([signature]) => has(bytes, 0, signature))
  const name = known?.[1] ?? structuredName(bytes)
  return name === undefined ? undefined : { format: undefined, name }
}

/** Formats with signatures so short that a second look is needed. */
function structuredName (bytes: Uint8Array): string | undefined {
  // A BMP: the size of its second header follows at 14.
  if (has(bytes, 0, 'BM') && u32le(bytes, 14) >= 12 && u32le(bytes, 14) <= 124) return 'a BMP'
  if (u32(bytes, 0) === 0x100 && u16le(bytes, 4) > 0) return 'an icon'
  if (u32(bytes, 0) === 0x200 && u16le(bytes, 4) > 0) return 'a cursor'
  if (has(bytes, 0, 'P') && u8(bytes, 1) >= 0x31 && u8(bytes, 1) <= 0x37 && isSpace(u8(bytes, 2))) return 'a Netpbm picture'
  if (has(bytes, 0, 'RIFF')) return has(bytes, 8, 'AVI ') ? 'a film' : 'a RIFF file'
  return startsAsPage(bytes) ? 'an HTML page' : undefined
}

function isSpace (byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function startsAsPage (bytes: Uint8Array): boolean {
  let at = 0
  while (isSpace(u8(bytes, at))) at++
  const start = String.fromCharCode(...bytes.subarray(at, at + 14)).toLowerCase()
  return start === '<!doctype html' || start.startsWith('<html')
}
