import { automatonOf, type Automaton, type ByteSet } from './automaton.ts'
import type { Pieces } from './pieces.ts'

/** A text, and what stands in its place. */
export interface Rule {
  readonly from: string
  readonly to: string
  /** Bytes of which one has to come before it, where it does not begin the body. */
  readonly before?: ByteSet | undefined
  /** Bytes of which none may follow it. */
  readonly notBefore?: ByteSet | undefined
}

/** Rules, ready to be applied to any number of bodies. */
export interface Replacements {
  /** Looks at one body from its beginning. */
  readonly start: () => Pieces
  /** The most bytes that one byte of a body becomes, at least 1. */
  readonly growth: number
}

interface Compiled extends Omit<Rule, 'to'> {
  readonly bytes: Buffer
  readonly to: Buffer
  readonly looksAhead: boolean
}

interface Table {
  readonly rules: readonly Compiled[]
  readonly automaton: Automaton
  /** Bytes that are looked at before what came of them is passed on. */
  readonly pieceBytes: number
}

/** The most bytes that come of one piece, as far as {@link MIN_PIECE_BYTES} allows: a body full of what grows pushes against it. */
const OUTPUT_BYTES = 256 * 1024
const MAX_PIECE_BYTES = 64 * 1024
const MIN_PIECE_BYTES = 256

/**
 * Prepares rules. In a body the leftmost occurrence is replaced first, of those at one place the
 * longest, of equal ones that of the earlier rule; what was put in is not looked at again. What
 * stands around an occurrence is judged in the body as it came. Time grows with the body alone,
 * whatever it holds; bytes are held back only while they, and those that may follow, may be an
 * occurrence: never more than the longest text.
 *
 * @param rules texts are bytes of UTF-8, none is empty
 * @throws {RangeError} where they are too many or too long
 */
export function replacementsOf (rules: readonly Rule[]): Replacements {
  const compiled = rules.map(({ from, to, ...around }): Compiled => ({ ...around, from, bytes: Buffer.from(from), to: Buffer.from(to), looksAhead: around.notBefore !== undefined }))
  const growth = compiled.reduce((most, { bytes, to }) => Math.max(most, to.length / bytes.length), 1)
  const pieceBytes = Math.max(MIN_PIECE_BYTES, Math.min(MAX_PIECE_BYTES, Math.floor(OUTPUT_BYTES / growth)))
  const table: Table = { rules: compiled, automaton: automatonOf(compiled), pieceBytes }
  return { start: () => new Replacement(table), growth }
}

/** What follows the last byte there is. */
const NOT_YET = -1
const NOTHING = -2

/** How far a body was read, and what came then. */
interface Reading {
  readonly text: Buffer
  readonly state: number
  readonly end: number
  readonly following: number
}

const none = Buffer.alloc(0)

/** One body on its way. */
class Replacement implements Pieces {
  readonly #table: Table
  #state = 0
  /** The byte before those that are held; {@link NOTHING} at the beginning. */
  #previous = NOTHING
  #held: Buffer = none
  /** Where in what is held an occurrence begins, and of which rule. */
  #found = new Map<number, number>()

  constructor (table: Table) {
    this.#table = table
  }

  * push (chunk: Buffer): Generator<Buffer, void> {
    const { pieceBytes } = this.#table
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const output = this.#read(chunk.subarray(at, at + pieceBytes))
      if (output.length > 0) yield output
    }
  }

  * end (): Generator<Buffer, void> {
    const text = this.#held
    this.#note({ text, state: this.#state, end: text.length, following: NOTHING })
    const output = this.#settle(text, text.length)
    if (output.length > 0) yield output
  }

  #read (piece: Buffer): Buffer {
    const { columnOf, columns, next, ending, pending } = this.#table.automaton
    const begin = this.#held.length
    const text = begin === 0 ? piece : Buffer.concat([this.#held, piece])
    let state = this.#state
    for (let at = begin; at < text.length; at++) {
      const byte = text[at] as number
      if (ending[state] !== 0) this.#note({ text, state, end: at, following: byte })
      state = next[state * columns + (columnOf[byte] as number)] as number
    }
    this.#note({ text, state, end: text.length, following: NOT_YET })
    this.#state = state
    // What may still come to be can begin within what was replaced already.
    return this.#settle(text, Math.max(0, text.length - (pending[state] as number)))
  }

  /** Remembers what ends before `end`: what depends on the next byte only once that is known. */
  #note ({ text, state, end, following }: Reading): void {
    const { rules, automaton: { ending, shorter, ends } } = this.#table
    for (let ended = ending[state] as number; ended !== 0; ended = shorter[ended] as number) {
      for (const place of ends.get(ended) as readonly number[]) {
        const rule = rules[place] as Compiled
        const begin = end - rule.bytes.length
        if (begin >= 0 && this.#counts(rule, begin === 0 ? this.#previous : text[begin - 1] as number, following)) this.#remember(begin, place)
      }
    }
  }

  #counts ({ before, notBefore }: Compiled, previous: number, following: number): boolean {
    if (before !== undefined && previous !== NOTHING && before[previous] === 0) return false
    return notBefore === undefined || following === NOTHING || notBefore[following] === 0
  }

  #remember (begin: number, place: number): void {
    const known = this.#found.get(begin)
    if (known === undefined || this.#rank(place, known) > 0) this.#found.set(begin, place)
  }

  /** Positive where a rule goes before another at the same place. */
  #rank (place: number, other: number): number {
    const { rules } = this.#table
    return (rules[place] as Compiled).bytes.length - (rules[other] as Compiled).bytes.length || other - place
  }

  /** Gives out all before `limit`, where nothing new can begin, and keeps the rest. */
  #settle (text: Buffer, limit: number): Buffer {
    const parts: Buffer[] = []
    let plain = 0
    for (const begin of [...this.#found.keys()].toSorted((a, b) => a - b)) {
      if (begin >= limit) break
      if (begin < plain) continue // within what was replaced
      const { bytes, to } = this.#table.rules[this.#found.get(begin) as number] as Compiled
      parts.push(text.subarray(plain, begin), to)
      plain = begin + bytes.length
    }
    const at = Math.max(plain, limit)
    if (at > plain) parts.push(text.subarray(plain, at))
    if (at > 0) this.#previous = text[at - 1] as number
    if (this.#found.size > 0) this.#found = later(this.#found, at)
    this.#held = at === text.length ? none : Buffer.from(text.subarray(at)) // a copy: the rest of the chunk is not to be kept
    return parts.length === 1 ? parts[0] as Buffer : Buffer.concat(parts)
  }
}

/** What begins at a place or after it, seen from there. */
function later (found: ReadonlyMap<number, number>, at: number): Map<number, number> {
  const rest = new Map<number, number>()
  for (const [begin, place] of found) if (begin >= at) rest.set(begin - at, place)
  return rest
}
