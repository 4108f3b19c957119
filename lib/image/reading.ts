import { Recent } from '../cache/recent.ts'
import { typeOf } from '../http/media-type.ts'
import { decodePath, encodeSegment, pathBelow, rawPath, type Key } from '../paths/request-path.ts'
import type { Representation } from '../representation.ts'
import type { Asked } from '../transform/asked.ts'
import { parseIpx } from '../transform/grammars/ipx.ts'
import { hasOperation, parseQuery, type QueryPolicy } from '../transform/grammars/query.ts'
import type { ImageParts } from './mount-images.ts'
import type { Variant } from './variant.ts'

/** What a URL asks of a picture. */
export interface Reading {
  readonly key: Key
  /** The path by which the original is known, without the grammar's own part. */
  readonly path: string
  /** The same as it stands in headers. */
  readonly tag: string
  readonly asked: Asked
  /** Variants that were described for it, by what of the request chose them. */
  readonly plans: Map<string, Plan>
}

/** A variant that was described before, while its original is what it was. */
export interface Plan {
  readonly parts: ImageParts
  readonly original: Representation
  /** That of the purges that were known then. */
  readonly version: number
  readonly variant: Variant
  /** What is made fast where the variant takes long. */
  readonly quick: Variant | undefined
  readonly vary: string | undefined
  /** Whether it is to be described anew each time: its original was just changed, or it has an overlay, which may. */
  readonly isFleeting: boolean
}

/** How the URLs of a mount are read. */
export interface ReadingOptions extends QueryPolicy {
  readonly grammars: readonly ('query' | 'ipx')[]
}

/** URLs of a mount that are read once. Longer ones are read each time: whoever sends ever new URLs pushes against both. */
const REMEMBERED = 8192
const REMEMBERED_CHARACTERS = 512

/** The segment below a mount's prefix where IPX URLs begin. */
const IPX = '/_ipx/'

/** Reads URLs below one prefix. */
export class Readings {
  readonly #prefix: string
  readonly #options: ReadingOptions
  readonly #usesIpx: boolean
  readonly #usesQuery: boolean
  readonly #known = new Recent<string, Reading | 'plain'>(REMEMBERED)

  /** @param prefix without a trailing slash; `''` at the root */
  constructor (prefix: string, options: ReadingOptions) {
    this.#prefix = prefix
    this.#options = options
    this.#usesIpx = options.grammars.includes('ipx')
    this.#usesQuery = options.grammars.includes('query')
  }

  /**
   * What a request target asks of a picture; undefined where it means the file as it is.
   *
   * @throws {MediaError} `bad-transform`, `bad-path`, `not-found`
   */
  of (target: string): Reading | undefined {
    if (!target.includes('?') && !target.includes(IPX)) return undefined
    const known = this.#known.get(target)
    if (known !== undefined) return known === 'plain' ? undefined : known
    const reading = this.#read(target)
    if (target.length <= REMEMBERED_CHARACTERS) this.#known.set(target, reading ?? 'plain')
    return reading
  }

  #read (target: string): Reading | undefined {
    const raw = rawPath(target)
    if (this.#usesIpx && raw.startsWith(this.#prefix + IPX)) {
      const { asked, path } = parseIpx(raw.slice(this.#prefix.length + IPX.length))
      return this.#reading(`${this.#prefix}/${path}`, asked)
    }
    const mark = target.search(/[?#]/)
    if (!this.#usesQuery || target[mark] !== '?') return undefined
    const search = target.slice(mark + 1)
    const below = pathBelow(decodePath(raw), this.#prefix)
    if (below === undefined || below.directory) return undefined
    if (!hasOperation(search) && !typeOf(below.key).startsWith('image/')) return undefined
    const asked = parseQuery(search, this.#options)
    const asksNothing = Object.keys(asked.values).length === 0 && asked.preset === undefined && !asked.info
    return asksNothing ? undefined : this.#reading(raw, asked)
  }

  #reading (raw: string, asked: Asked): Reading | undefined {
    const path = decodePath(raw)
    const below = pathBelow(path, this.#prefix)
    return below === undefined || below.directory ? undefined : { key: below.key, path, tag: path.split('/').map(encodeSegment).join('/'), asked, plans: new Map() }
  }
}
