import type { Pieces } from './pieces.ts'
import type { ReferenceMapper } from './references.ts'

/** Bytes of a line of a playlist. An origin that sends longer ones pushes against it: they pass as they are. */
const MAX_LINE_BYTES = 64 * 1024

/** Bytes that are looked at in one go. */
const PIECE_BYTES = 16 * 1024

const NEWLINE = 10

/**
 * Maps the references of an HLS playlist (RFC 8216 §4): lines that are URIs, and attributes
 * that hold one. A line is passed on once it is complete. References relative to the playlist,
 * and those that begin with a variable, stay.
 */
export class PlaylistLines implements Pieces {
  readonly #map: ReferenceMapper
  #held: Buffer[] = []
  #heldBytes = 0
  /** Whether the line under way was too long to be read. */
  #isPassing = false

  constructor (map: ReferenceMapper) {
    this.#map = map
  }

  * push (chunk: Buffer): Generator<Buffer, void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield * this.#read(chunk.subarray(at, at + PIECE_BYTES))
  }

  * end (): Generator<Buffer, void> {
    if (this.#heldBytes > 0) yield this.#mapped(this.#take())
  }

  * #read (piece: Buffer): Generator<Buffer, void> {
    let rest = piece
    if (this.#isPassing) {
      const end = rest.indexOf(NEWLINE) + 1
      yield end === 0 ? rest : rest.subarray(0, end)
      if (end === 0) return
      this.#isPassing = false
      rest = rest.subarray(end)
    }
    const complete = rest.lastIndexOf(NEWLINE) + 1
    if (complete > 0) yield this.#mapped(this.#take(rest.subarray(0, complete)))
    this.#hold(rest.subarray(complete))
    if (this.#heldBytes <= MAX_LINE_BYTES) return
    this.#isPassing = true
    yield this.#take()
  }

  #hold (bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#held.push(Buffer.from(bytes)) // a copy: the rest of the chunk is not to be kept
    this.#heldBytes += bytes.length
  }

  #take (more?: Buffer): Buffer {
    const bytes = Buffer.concat(more === undefined ? this.#held : [...this.#held, more])
    this.#held = []
    this.#heldBytes = 0
    return bytes
  }

  /** Latin-1 gives every byte back as it was. */
  #mapped (lines: Buffer): Buffer {
    return Buffer.from(mapPlaylist(lines.toString('latin1'), this.#map), 'latin1')
  }
}

// Names of attributes that hold a URI: URI, X-ASSET-URI, SERVER-URI, X-ASSET-LIST; VALUE of EXT-X-DEFINE may.
const attribute = /(?<=[:,])((?:[A-Z0-9-]*URI|X-ASSET-LIST|VALUE)=")([^"\r\n]*)(?=")/g

/** The same for lines that are complete. */
export function mapPlaylist (text: string, map: ReferenceMapper): string {
  return text.replaceAll(/[^\r\n]+/g, line => {
    if (!line.startsWith('#')) return map(line) ?? line
    if (!line.startsWith('#EXT')) return line
    return line.replaceAll(attribute, (whole, name: string, reference: string) => {
      const mapped = map(reference)
      return mapped === undefined ? whole : name + mapped
    })
  })
}
