import { has, u8 } from '../headers/bytes.ts'
import { fieldsAt, orderOf, type Field, type Order } from '../headers/tiff.ts'

/** Entries of one directory that are looked at, and bytes of one text. A file's author pushes against both. */
const MAX_ENTRIES = 200
const MAX_TEXT = 500

/** Bytes of a text about rights, which is kept as a whole or not at all. */
const MAX_RIGHTS = 1024

/** What is told of a picture's EXIF data (Exif 2.32 §§4.6.4, 4.6.5). No serial numbers, no notes of the maker. */
export interface ExifFacts {
  make?: string
  model?: string
  lens?: string
  /** Seconds. */
  exposure?: number
  fNumber?: number
  iso?: number
  /** Millimetres. */
  focalLength?: number
  /** As ISO 8601; without an offset, in the time of wherever the camera was. */
  taken?: string
  software?: string
  copyright?: string
  artist?: string
}

/** Where a picture was taken (Exif 2.32 §4.6.6): degrees, north and east positive, and metres. */
export interface Place {
  latitude: number
  longitude: number
  altitude?: number
}

type Fields = ReadonlyMap<number, Field>

/** EXIF data, its parts read when asked for. Damaged data tell less and throw nothing. */
export class Exif {
  readonly #bytes: Uint8Array
  readonly #order: Order | undefined
  readonly #main: Fields

  /** @param bytes with or without the six bytes that a JPEG puts before */
  constructor (bytes: Uint8Array) {
    this.#bytes = has(bytes, 0, 'Exif\0\0') ? bytes.subarray(6) : bytes
    this.#order = orderOf(this.#bytes)
    this.#main = this.#fieldsAt(this.#order?.long(this.#bytes, 4) ?? Number.NaN)
  }

  facts (): ExifFacts {
    const photo = this.#below(0x8769)
    const found: Array<readonly [keyof ExifFacts, string | number | undefined]> = [
      ['make', this.#text(this.#main.get(0x010f))],
      ['model', this.#text(this.#main.get(0x0110))],
      ['lens', this.#text(photo.get(0xa434))],
      ['exposure', this.#positive(photo.get(0x829a))],
      ['fNumber', this.#positive(photo.get(0x829d))],
      ['iso', this.#positive(photo.get(0x8827))],
      ['focalLength', this.#positive(photo.get(0x920a))],
      ['taken', isoDate(this.#text(photo.get(0x9003)), this.#text(photo.get(0x9011)))],
      ['software', this.#text(this.#main.get(0x0131))],
      ['copyright', this.#text(this.#main.get(0x8298))],
      ['artist', this.#text(this.#main.get(0x013b))]
    ]
    return Object.fromEntries(found.filter(([, value]) => value !== undefined))
  }

  /** Who made the picture, and who has the rights (tags 0x013B and 0x8298). */
  rights (): Pick<ExifFacts, 'copyright' | 'artist'> {
    const text = (tag: number): string | undefined => {
      const field = this.#main.get(tag)
      return field !== undefined && field.count <= MAX_RIGHTS ? this.#text(field, MAX_RIGHTS) : undefined
    }
    const [copyright, artist] = [text(0x8298), text(0x013b)]
    return { ...(copyright === undefined ? {} : { copyright }), ...(artist === undefined ? {} : { artist }) }
  }

  place (): Place | undefined {
    const fields = this.#below(0x8825)
    const latitude = this.#degrees(fields.get(1), fields.get(2))
    const longitude = this.#degrees(fields.get(3), fields.get(4))
    if (latitude === undefined || longitude === undefined || Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return undefined
    const height = this.#numbers(fields.get(6))[0]
    const field = fields.get(5)
    const isBelow = field !== undefined && u8(this.#bytes, field.at) === 1
    return { latitude, longitude, ...(height === undefined ? {} : { altitude: rounded(isBelow ? -height : height) }) }
  }

  #below (tag: number): Fields {
    return this.#fieldsAt(this.#numbers(this.#main.get(tag))[0] ?? Number.NaN)
  }

  #fieldsAt (start: number): Fields {
    const fields = new Map<number, Field>()
    const order = this.#order
    if (order === undefined) return fields
    const count = Math.min(order.short(this.#bytes, start), MAX_ENTRIES)
    for (const field of fieldsAt(this.#bytes, start + 2, { order, count })) fields.set(field.tag, field)
    return fields
  }

  #text (field: Field | undefined, most = MAX_TEXT): string | undefined {
    if (field === undefined || (field.type !== 2 && field.type !== 7)) return undefined
    const bytes = this.#bytes.subarray(field.at, field.at + Math.min(field.count, most))
    const whole = new TextDecoder().decode(bytes)
    const [text = ''] = whole.split('\0', 1)
    return text.trim() === '' ? undefined : text.trim()
  }

  /** The first values of a field, three at most: that is how many a place has. */
  #numbers (field: Field | undefined): number[] {
    const order = this.#order
    if (field === undefined || order === undefined) return []
    const { type, count, at } = field
    const found: number[] = []
    for (let n = 0; n < Math.min(count, 3); n++) {
      if (type === 3) found.push(order.short(this.#bytes, at + 2 * n))
      else if (type === 4) found.push(order.long(this.#bytes, at + 4 * n))
      else if (type === 5) found.push(order.long(this.#bytes, at + 8 * n) / order.long(this.#bytes, at + 8 * n + 4))
    }
    return found.filter(value => Number.isFinite(value))
  }

  #positive (field: Field | undefined): number | undefined {
    const [value] = this.#numbers(field)
    return value !== undefined && value > 0 ? rounded(value) : undefined
  }

  #degrees (side: Field | undefined, field: Field | undefined): number | undefined {
    const [degrees, minutes = 0, seconds = 0] = this.#numbers(field)
    const towards = this.#text(side)
    if (degrees === undefined || towards === undefined) return undefined
    const value = degrees + minutes / 60 + seconds / 3600
    return rounded(towards === 'S' || towards === 'W' ? -value : value)
  }
}

/** To seven digits behind the point: a centimetre, in degrees. */
function rounded (value: number): number {
  return Math.round(value * 1e7) / 1e7
}

/** From `2021:02:03 04:05:06` and, where a camera tells it, `+01:00`. */
function isoDate (text: string | undefined, offset: string | undefined): string | undefined {
  const match = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)$/.exec(text ?? '')
  if (match === null) return undefined
  const [, year, month, day, time] = match
  const date = `${year}-${month}-${day}T${time}`
  if (Number.isNaN(Date.parse(`${date}Z`))) return undefined
  return date + (offset !== undefined && /^[+-]\d\d:\d\d$/.test(offset) ? offset : '')
}
