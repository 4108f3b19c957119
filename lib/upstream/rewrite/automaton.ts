/** Bytes by their value: 1 for those that belong. */
export type ByteSet = Uint8Array

/** The bytes of a text of ASCII, as a set. */
export function byteSet (text: string): ByteSet {
  const set = new Uint8Array(256)
  for (const byte of Buffer.from(text, 'latin1')) set[byte] = 1
  return set
}

/** A text that is looked for. */
export interface Pattern {
  readonly bytes: Buffer
  /** Whether the byte that follows has a say in whether it counts. */
  readonly looksAhead: boolean
}

/**
 * Finds every occurrence of many texts in one pass, one step for each byte whatever the bytes
 * are (Aho and Corasick, "Efficient string matching", CACM 18, 1975). States are numbers, 0 is
 * the one before anything was read.
 */
export interface Automaton {
  /** The column of each byte: bytes that no text holds share one. */
  readonly columnOf: Uint8Array
  readonly columns: number
  /** The state after a byte: at `state * columns + columnOf[byte]`. */
  readonly next: Int32Array
  /** The nearest state, itself or one for a shorter end of what was read, in which texts end; 0 for none. */
  readonly ending: Int32Array
  /** The same for a state, without itself. */
  readonly shorter: Int32Array
  /** How many of the last bytes may still become, or come to count as, an occurrence. */
  readonly pending: Int32Array
  /** Which texts end in a state, by their place in the list. */
  readonly ends: ReadonlyMap<number, readonly number[]>
}

/**
 * The most cells of a table, of 4 bytes each: whoever configures texts to replace, or origins
 * whose URLs are replaced, pushes against it. 256 origins with long names, in every spelling, fit.
 */
const MAX_CELLS = 16 * 1024 * 1024

/** How many different beginnings there are, that of no byte included. */
function statesOf (patterns: readonly Pattern[]): number {
  let states = 1
  let previous: Buffer = Buffer.alloc(0)
  for (const bytes of patterns.map(pattern => pattern.bytes).toSorted((a, b) => Buffer.compare(a, b))) {
    let shared = 0
    while (shared < previous.length && previous[shared] === bytes[shared]) shared++
    states += bytes.length - shared
    previous = bytes
  }
  return states
}

interface Trie {
  readonly children: Int32Array
  readonly depths: number[]
  readonly ends: Map<number, number[]>
}

/**
 * Builds the table for texts that are not empty.
 *
 * @throws {RangeError} where they are too many or too long
 */
export function automatonOf (patterns: readonly Pattern[]): Automaton {
  const { columnOf, columns } = columnsOf(patterns)
  const trie = trieOf(patterns, columnOf, columns)
  const states = trie.depths.length
  const next = trie.children // its empty cells are filled in, those of shorter beginnings first
  const fail = new Int32Array(states)
  const ending = new Int32Array(states)
  const shorter = new Int32Array(states)
  const pending = new Int32Array(states)
  for (const state of breadthFirst(trie, columns)) {
    const fallback = fail[state] as number
    const own = trie.ends.get(state)
    shorter[state] = ending[fallback] as number
    ending[state] = own === undefined ? ending[fallback] as number : state
    let isPending = own?.some(place => patterns[place]?.looksAhead) === true
    for (let cell = state * columns, column = 0; column < columns; column++, cell++) {
      const child = next[cell] as number
      const other = state === 0 ? 0 : next[fallback * columns + column] as number
      if (child === 0) next[cell] = other
      else {
        fail[child] = other
        isPending = true
      }
    }
    pending[state] = isPending ? trie.depths[state] as number : pending[fallback] as number
  }
  return { columnOf, columns, next, ending, shorter, pending, ends: trie.ends }
}

function columnsOf (patterns: readonly Pattern[]): Pick<Automaton, 'columnOf' | 'columns'> {
  const columnOf = new Uint8Array(256)
  let columns = 1 // the first is for every byte that no text holds
  for (const { bytes } of patterns) {
    for (const byte of bytes) if (columnOf[byte] === 0 && columns < 256) columnOf[byte] = columns++
  }
  return { columnOf, columns }
}

function trieOf (patterns: readonly Pattern[], columnOf: Uint8Array, columns: number): Trie {
  const states = statesOf(patterns)
  const most = Math.floor(MAX_CELLS / columns)
  if (states > most) throw new RangeError(`Expected texts to look for of at most ${most} bytes together, without what they begin with in common, but received ${states}`)
  const children = new Int32Array(states * columns)
  const depths = [0]
  const ends = new Map<number, number[]>()
  for (const [place, { bytes }] of patterns.entries()) {
    let state = 0
    for (const byte of bytes) {
      const cell = state * columns + (columnOf[byte] as number)
      if (children[cell] === 0) children[cell] = depths.push((depths[state] as number) + 1) - 1
      state = children[cell] as number
    }
    const others = ends.get(state)
    if (others === undefined) ends.set(state, [place])
    else others.push(place)
  }
  return { children, depths, ends }
}

function breadthFirst ({ children, depths }: Trie, columns: number): Int32Array {
  const order = new Int32Array(depths.length)
  let known = 1
  for (const state of order) {
    for (let cell = state * columns; cell < (state + 1) * columns; cell++) {
      const child = children[cell] as number
      if (child !== 0) order[known++] = child
    }
  }
  return order
}
