import { Recent } from '../cache/recent.ts'
import { MediaError } from '../errors.ts'
import { OCTET_STREAM, typeOf } from '../http/media-type.ts'
import { isBelowAny } from '../paths/folded.ts'
import { decodePath, encodeSegment, pathBelow, rawBelow, rawPath, type Key } from '../paths/request-path.ts'
import type { Asked } from '../transform/asked.ts'
import { parseIpx } from '../transform/grammars/ipx.ts'
import { hasOperation, parseQuery, type QueryPolicy } from '../transform/grammars/query.ts'
import { IPX_SEGMENT } from './places.ts'
import type { VariantPlan } from './variant-plan.ts'

/** What a URL asks of a picture. */
export interface Reading {
  readonly key: Key
  /** The path by which the original is known, without the grammar's own part. */
  readonly path: string
  /** The same as it stands in headers. */
  readonly tag: string
  readonly asked: Asked
  /** What is wrong with the URL, where it is one only if a file is there: an app has paths and queries of its own. */
  readonly fault?: MediaError
  /** Variants that were described for it, by what of the request chose them. */
  readonly plans: Map<string, VariantPlan>
}

/** How the URLs of a mount are read. */
export interface ReadingOptions extends QueryPolicy {
  readonly grammars: readonly ('query' | 'ipx')[]
  /** The prefix of the app that the mount is in; `''` at the root. */
  readonly root?: string
  /** How the source reads its keys itself; see `Source.keyOf`. */
  readonly keyOf?: ((raw: string) => Key) | undefined
  /** Prefixes of other mounts below this one, as clients see them: what they hold is theirs, however it is spelled. */
  readonly others?: readonly string[]
}

/** URLs of a mount that are read once. Longer ones are read each time: whoever sends ever new URLs pushes against both. */
const REMEMBERED = 2048
const REMEMBERED_CHARACTERS = 512

/** Stands for what could not be read. */
const anything: Asked = { values: {}, info: false }

/** Where IPX URLs begin, below a prefix. */
const IPX = `/${IPX_SEGMENT}/`

/** Whether a request target may mean a variant: for what costs more than to read it. */
export function mayAskForVariant (target: string): boolean {
  return target.includes('?') || target.includes(IPX)
}

/** Reads URLs below one prefix. */
export class Readings {
  readonly #prefix: string
  readonly #root: string
  readonly #options: ReadingOptions
  readonly #isOfAnother: (target: string) => boolean
  readonly #usesIpx: boolean
  readonly #usesQuery: boolean
  readonly #known = new Recent<string, Reading | 'plain'>(REMEMBERED)

  /** @param prefix without a trailing slash; `''` at the root */
  constructor (prefix: string, options: ReadingOptions) {
    this.#prefix = prefix
    this.#root = options.root ?? ''
    this.#options = options
    this.#isOfAnother = isBelowAny(options.others ?? [])
    this.#usesIpx = options.grammars.includes('ipx')
    this.#usesQuery = options.grammars.includes('query')
  }

  /**
   * What a request target asks of a picture; undefined where it means the file as it is.
   *
   * @throws {MediaError} `bad-transform`, `bad-path`, `not-found`
   */
  of (target: string): Reading | undefined {
    if (!mayAskForVariant(target)) return undefined
    const known = this.#known.get(target)
    if (known !== undefined) return known === 'plain' ? undefined : known
    const reading = this.#read(target)
    if (target.length <= REMEMBERED_CHARACTERS) this.#known.set(target, reading ?? 'plain')
    return reading
  }

  #read (target: string): Reading | undefined {
    const raw = rawPath(target)
    // From the mount's own prefix, and from that of the app: there the path goes through the mount's.
    for (const base of this.#usesIpx ? [this.#prefix, this.#root] : []) {
      if (!raw.startsWith(base + IPX)) continue
      const { asked, path } = parseIpx(raw.slice(base.length + IPX.length))
      if (this.#options.keyOf !== undefined) return this.#reading(`${base}/${path}`, asked)
      if (this.#isOfAnother(`${base}/${path}`)) throw new MediaError('not-found')
      return this.#reading(`${base}/${path}`, asked)
    }
    const mark = target.search(/[?#]/)
    if (!this.#usesQuery || target[mark] !== '?') return undefined
    const search = target.slice(mark + 1)
    // What names another server's file is asked for as a picture: its own query is a part of the path.
    if (this.#options.keyOf !== undefined) return this.#asking(raw, parseQuery(search, this.#options))
    const below = pathBelow(decodePath(raw), this.#prefix)
    if (below === undefined || below.directory) return undefined
    const type = typeOf(below.key)
    if (type.startsWith('image/')) return this.#asking(raw, parseQuery(search, this.#options))
    // What is known to be something else has queries of its own; what is not known may be a picture, or no file at all.
    return type === OCTET_STREAM && hasOperation(search) ? this.#readingOrFault(raw, search) : undefined
  }

  #readingOrFault (raw: string, search: string): Reading | undefined {
    try {
      return this.#asking(raw, parseQuery(search, this.#options))
    } catch (fault) {
      const reading = fault instanceof MediaError ? this.#reading(raw, anything) : undefined
      return reading === undefined ? undefined : { ...reading, fault: fault as MediaError }
    }
  }

  /** A query that asks for nothing leaves the file as it is. */
  #asking (raw: string, asked: Asked): Reading | undefined {
    return Object.keys(asked.values).length === 0 && asked.preset === undefined && !asked.info ? undefined : this.#reading(raw, asked)
  }

  #reading (raw: string, asked: Asked): Reading | undefined {
    const { keyOf } = this.#options
    if (keyOf !== undefined) {
      const key = keyOf(rawBelow(raw, this.#prefix))
      const path = `${this.#prefix}/${key}`
      return { key, path, tag: path.replace(/[^\x21-\x7e]|[,"\\]/g, encodeURIComponent), asked, plans: new Map() }
    }
    const path = decodePath(raw)
    const below = pathBelow(path, this.#prefix)
    return below === undefined || below.directory ? undefined : { key: below.key, path, tag: path.split('/').map(encodeSegment).join('/'), asked, plans: new Map() }
  }
}
