import { crc32 } from 'node:zlib'
import { PNG_SIGNATURE } from '../headers/png.ts'
import { has, text, u16, u32, u8 } from '../headers/bytes.ts'
import { orderOf } from '../headers/tiff.ts'

/*
 * Taking out of a picture's file where it was taken, in place and without touching a pixel: the file
 * keeps its length and its layout. Looked for wherever it stands in the bytes, so that the pictures
 * behind a picture (previews, gain maps) and films behind it are seen to as well.
 *
 * Not covered: what a maker's note says in words of its own, XMP that is not in UTF-8, and BigTIFF.
 */

/** Entries of one directory that are looked at, and directories. A file's author pushes against both. */
const MAX_ENTRIES = 512
const MAX_DIRECTORIES = 8
/** Bytes of one value in XMP that are looked at. */
const MAX_VALUE = 1000

const TAG = { exif: 0x8769, gps: 0x8825 } as const

/** Bytes of one value by type (TIFF 6.0 §2). */
const SIZES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]

/** Names under which XMP tells a place: of EXIF, of Photoshop, of IPTC Core and Extension. */
const placeName = /^(?:exif:GPS[A-Z]\w{2,30}|photoshop:(?:City|State|Country)|Iptc4xmpCore:(?:Location|CountryCode)|Iptc4xmpExt:(?:City|Sublocation|ProvinceState|CountryName|CountryCode|WorldRegion|LocationId))(?:\s{0,9}=\s{0,9}(["'])|\s{0,9}(>))/
const placePrefixes = ['exif:GPS', 'photoshop:', 'Iptc4xmpCore:', 'Iptc4xmpExt:'] as const

/** Datasets of IPTC-IIM 4.2 §6 record 2 that tell a place: location code and name, city, sublocation, province, country. */
const placeDatasets: ReadonlySet<number> = new Set([26, 27, 90, 92, 95, 100, 101])

/**
 * Blanks every place, in the bytes themselves.
 *
 * @returns whether there was one
 */
export function blankLocation (bytes: Buffer): boolean {
  const found = [blankExif(bytes), blankXmp(bytes), blankIptc(bytes), blankFilm(bytes)].includes(true)
  if (has(bytes, 0, PNG_SIGNATURE)) return sealPng(bytes) || found
  return found
}

function * placesOf (bytes: Buffer, sought: string): Generator<number> {
  for (let at = bytes.indexOf(sought, 0, 'latin1'); at !== -1; at = bytes.indexOf(sought, at + 1, 'latin1')) yield at
}

/** EXIF data are a TIFF structure wherever they stand, and a TIFF is one itself. */
function blankExif (bytes: Buffer): boolean {
  let isFound = false
  for (const mark of ['II*\0', 'MM\0*']) for (const at of placesOf(bytes, mark)) isFound = new Directories(bytes.subarray(at)).blank() || isFound
  return isFound
}

/** The directories of one TIFF structure. */
class Directories {
  readonly #bytes: Buffer
  readonly #isLittle: boolean
  #seen = 0

  constructor (bytes: Buffer) {
    this.#bytes = bytes
    this.#isLittle = orderOf(bytes) !== undefined && u8(bytes, 0) === 0x49
  }

  blank (): boolean {
    return this.#blankFrom(this.#long(4))
  }

  /** The directory at an offset, those below it, and those behind it. */
  #blankFrom (start: number): boolean {
    const count = this.#short(start)
    if (!(start >= 8 && count > 0 && count <= MAX_ENTRIES) || ++this.#seen > MAX_DIRECTORIES) return false
    let isFound = false
    let left = count
    for (let n = 0; n < left; n++) {
      const entry = start + 2 + 12 * n
      const tag = this.#short(entry)
      if (tag === TAG.exif) isFound = this.#blankFrom(this.#long(entry + 8)) || isFound
      if (tag !== TAG.gps) continue
      this.#clear(this.#long(entry + 8))
      // What follows moves up: the offset of the next directory as well.
      this.#bytes.copyWithin(entry, entry + 12, start + 2 + 12 * left + 4)
      this.#writeShort(start, --left)
      isFound = true
      n--
    }
    return this.#blankFrom(this.#long(start + 2 + 12 * left)) || isFound
  }

  /** Overwrites a directory, and the values of its entries. */
  #clear (start: number): void {
    const count = this.#short(start)
    if (!(start >= 8 && count <= MAX_ENTRIES)) return
    for (let n = 0; n < count; n++) {
      const entry = start + 2 + 12 * n
      const length = (SIZES[this.#short(entry + 2)] ?? 0) * this.#long(entry + 4)
      if (length > 4) this.#bytes.fill(0, ...this.#within(this.#long(entry + 8), length))
    }
    this.#bytes.fill(0, ...this.#within(start, 2 + 12 * count))
  }

  /** Nothing before the header's end, nor behind the file's. */
  #within (start: number, length: number): [number, number] {
    const from = Math.min(Math.max(8, start || 0), this.#bytes.length)
    return [from, Math.min(from + (length || 0), this.#bytes.length)]
  }

  #short (at: number): number {
    return this.#isLittle ? u8(this.#bytes, at) + u8(this.#bytes, at + 1) * 0x100 : u16(this.#bytes, at)
  }

  #long (at: number): number {
    return this.#isLittle ? this.#short(at) + this.#short(at + 2) * 0x10000 : u32(this.#bytes, at)
  }

  #writeShort (at: number, value: number): void {
    if (this.#isLittle) this.#bytes.writeUInt16LE(value, at)
    else this.#bytes.writeUInt16BE(value, at)
  }
}

/** Values of properties, as attributes and as elements. */
function blankXmp (bytes: Buffer): boolean {
  let isFound = false
  for (const prefix of placePrefixes) {
    for (const at of placesOf(bytes, prefix)) {
      const start = placeName.exec(text(bytes, at, 80))
      if (start === null) continue
      const from = at + start[0].length
      const end = bytes.subarray(from, from + MAX_VALUE).indexOf(start[1] ?? '<')
      if (end <= 0 || /^\s*$/.test(text(bytes, from, end))) continue
      bytes.fill(' ', from, from + end)
      isFound = true
    }
  }
  return isFound
}

/** Image resource 0x0404 of Photoshop: datasets one after the other. */
function blankIptc (bytes: Buffer): boolean {
  let isFound = false
  for (const resource of placesOf(bytes, '8BIM\x04\x04')) {
    const name = u8(bytes, resource + 6)
    let at = resource + 6 + name + 1 + (name + 1) % 2 + 4
    while (u8(bytes, at) === 0x1c) {
      const [record, dataset, length] = [u8(bytes, at + 1), u8(bytes, at + 2), u16(bytes, at + 3)]
      if (!(length < 0x8000)) break
      if (record === 2 && placeDatasets.has(dataset) && length > 0) {
        bytes.fill(' ', at + 5, at + 5 + length)
        isFound = true
      }
      at += 5 + length
    }
  }
  return isFound
}

/** The place of a film that goes with the picture, as ISO 6709 in the box `©xyz` (QuickTime). */
function blankFilm (bytes: Buffer): boolean {
  let isFound = false
  for (const at of placesOf(bytes, '\xa9xyz')) {
    const place = /^[\s\S]{4}([+-]\d{2,3}\.\d+[+-]\d{2,3}\.\d+(?:[+-]\d+(?:\.\d+)?)?)\/?/.exec(text(bytes, at + 4, 64))?.[1]
    if (place === undefined) continue
    bytes.write(place.replace(/\d/g, '0'), at + 8, 'latin1')
    isFound = true
  }
  return isFound
}

/** Chunks of a PNG that hold EXIF or XMP in a form that cannot be read in place: they are renamed to what nobody knows, and emptied. */
function sealPng (bytes: Buffer): boolean {
  let isFound = false
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = u32(bytes, at)
    const end = at + 8 + length
    if (end + 4 > bytes.length) break
    const kind = text(bytes, at + 4, 4)
    if (kind === 'zTXt' || kind === 'iTXt' || kind === 'tEXt') {
      const [keyword = ''] = text(bytes, at + 8, Math.min(length, 80)).split('\0', 1)
      const isPacked = kind === 'iTXt' && u8(bytes, at + 8 + keyword.length + 1) === 1
      if (keyword.startsWith('Raw profile type') || (keyword === 'XML:com.adobe.xmp' && (isPacked || kind === 'zTXt'))) {
        bytes.fill(0, at + 8 + keyword.length + 1, end)
        bytes.write('prVt', at + 4, 'latin1')
        isFound = true
      }
    }
    if (kind !== 'IDAT') bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end)
    at = end + 4
  }
  return isFound
}
