import { Recent } from '../cache/recent.ts'
import type { Fields } from '../upstream/message.ts'
import { joined } from './directives.ts'

/** A field of a request as its origin gets it. */
export type FieldOf = (name: string) => string | string[] | undefined

/**
 * Fields from which origins and frameworks make URLs and choose what they answer, without saying
 * so in `Vary`. Clients can send most of them: were they no part of the key, one client could
 * decide what the next one gets. Not covered: an origin that takes other fields into its answer
 * and does not name them in `Vary`.
 */
export const keyedFields = [
  'host', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix', 'forwarded', 'x-forwarded-port', 'x-forwarded-scheme', 'x-forwarded-server', 'x-forwarded-ssl',
  'x-forwarded-path', 'x-forwarded-uri', 'x-host', 'x-original-host', 'x-original-url', 'x-rewrite-url', 'x-url-scheme', 'front-end-https',
  'x-http-method', 'x-http-method-override', 'x-method-override'
] as const

/** The most fields that `Vary` may name: an origin that names more is asked each time. */
export const MAX_VARY_NAMES = 16

/** Values that are remembered in their normal form, of each field: whoever sends ever new ones pushes against it. */
const MAX_NORMAL = 500

/** Values longer than this are not remembered: a client chooses how long they are. */
const MAX_NORMAL_CHARACTERS = 512

/** The names in `Vary`, each once, in order; undefined where no other request can be answered so (RFC 9111 §4.1). */
export function varyingBy (fields: Fields): readonly string[] | undefined {
  const names = new Set((joined(fields.vary) ?? '').toLowerCase().split(',').map(name => name.trim()).filter(name => name !== ''))
  return names.has('*') || names.size > MAX_VARY_NAMES ? undefined : [...names].toSorted()
}

/** All names of both, or the first of them where it has all. */
export function united (names: readonly string[], more: readonly string[]): readonly string[] {
  return more.every(name => names.includes(name)) ? names : [...new Set([...names, ...more])].toSorted()
}

/** What a selection was made of: whoever sends the same again gets it without its being made again. */
interface Seen {
  readonly values: ReadonlyArray<Fields[string] | undefined>
  readonly selection: string
}

/** How many are remembered for one URL: those who ask for it differ in little. */
const MAX_SEEN = 4

/** Characters of all values of one: a client chooses how long they are. */
const MAX_SEEN_CHARACTERS = 320

/** Tells which of the answers for one URL a request means: by the fields that always count, and by those that `Vary` names. */
export class Selection {
  readonly #normaliser: Normaliser
  readonly #names: readonly string[]
  #seen: Seen[] = []

  constructor (normaliser: Normaliser, varying: readonly string[]) {
    this.#normaliser = normaliser
    this.#names = [...keyedFields, ...varying.filter(name => !(keyedFields as readonly string[]).includes(name))]
  }

  of (field: FieldOf): string {
    for (const seen of this.#seen) if (this.#isAs(seen, field)) return seen.selection
    return this.#make(field)
  }

  #isAs ({ values }: Seen, field: FieldOf): boolean {
    const names = this.#names
    for (let place = 0; place < names.length; place++) {
      const name = names[place] as string
      const value = valueOf(field, name)
      const known = values[place]
      if (value === known) continue
      // It tells who asked, so it is another for each client; what matters of it is mostly the same.
      if (name !== 'forwarded' || value === undefined || known === undefined || this.#normaliser.normal(name, value) !== this.#normaliser.normal(name, known)) return false
    }
    return true
  }

  #make (field: FieldOf): string {
    const values = this.#names.map(name => valueOf(field, name))
    let selection = ''
    let characters = 0
    for (const [place, name] of this.#names.entries()) {
      const value = values[place]
      if (value === undefined) continue
      const normal = this.#normaliser.normal(name, value)
      // With its length, no value can pretend to be the next field.
      selection += `${name} ${normal.length} ${normal}\n`
      characters += value.length
    }
    if (characters <= MAX_SEEN_CHARACTERS && !values.some(Array.isArray)) this.#seen = [{ values, selection }, ...this.#seen.slice(0, MAX_SEEN - 1)]
    return selection
  }
}

/** An origin may name `constructor` in `Vary`: what objects have of themselves is no field. */
function valueOf (field: FieldOf, name: string): Fields[string] | undefined {
  const value = field(name)
  return typeof value === 'string' || Array.isArray(value) ? value : undefined
}

/** Brings values that mean the same into one form (RFC 9111 §4.1). */
export class Normaliser {
  /** Normal forms by what was sent. Fields that are read alike share them: their number is bounded. */
  readonly #known = new Map<string, Recent<string, string>>()

  normal (name: string, value: string | string[]): string {
    const text = joined(value) ?? ''
    const kind = readAlone.has(name) ? name : ''
    if (text.length > MAX_NORMAL_CHARACTERS) return normalised(kind, text)
    let known = this.#known.get(kind)
    if (known === undefined) this.#known.set(kind, known = new Recent(MAX_NORMAL))
    let result = known.get(text)
    if (result === undefined) known.set(text, result = normalised(kind, text))
    return result
  }
}

/** Fields that are not read like all others. */
const readAlone = new Set(['accept', 'accept-encoding', 'accept-language', 'forwarded'])

/** Two values are the same where they differ in whitespace, lines, or in nothing that has a meaning. */
function normalised (kind: string, text: string): string {
  if (kind === 'forwarded') return withoutNodes(text)
  const items = text.split(',').map(item => item.trim()).filter(item => item !== '')
  if (kind === '') return items.join(',')
  const plain = items.map(item => item.toLowerCase().replaceAll(/\s/g, '').replace(/;q=1(?:\.0{0,3})?$/, ''))
  // The order of codings means nothing; that of languages means something to some origins.
  return (kind === 'accept-encoding' ? plain.toSorted() : plain).join(',')
}

/** `Forwarded` (RFC 7239) without who asked and by whom: what remains is the URL that was asked for. */
function withoutNodes (text: string): string {
  const plain = text.replaceAll(/[ \t]+/g, ' ') // so that no run of spaces is gone through again and again
  return plain.replaceAll(/(?<=^|[;,]) ?(?:for|by)=(?:"[^"]*"|[^;,]*)/gi, '').replaceAll(/ ?([;,]);* ?/g, '$1')
}
