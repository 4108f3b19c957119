import { distance } from 'fastest-levenshtein'

/** One thing that is wrong with a configuration. */
export interface Mistake {
  /** Where, as one would write it: `mounts[0].cache.default`. Empty for the whole. */
  readonly path: string
  /** What was expected, and what stood there. */
  readonly message: string
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly Mistake[]

  constructor (mistakes: readonly Mistake[], origin = 'the configuration') {
    const lines = mistakes.map(({ path, message }) => path === '' ? `  ${message}` : `  ${path}: ${message}`)
    super(`${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'} in ${origin}:\n${lines.join('\n')}`)
    this.mistakes = mistakes
  }
}

/** Those of the later mistakes that stand where none was found before: one cause is told once. */
export function elsewhere (earlier: readonly Mistake[], later: readonly Mistake[]): Mistake[] {
  return later.filter(({ path }) => !earlier.some(mistake => mistake.path === path))
}

/** The sentence that points at the name that was probably meant, or nothing. */
export function didYouMean (word: string, names: readonly string[]): string {
  let nearest: string | undefined
  let least = Infinity
  for (const name of names) {
    const apart = distance(bare(word), bare(name))
    if (apart < least) [nearest, least] = [name, apart]
  }
  // Two letters that changed places count as two.
  return nearest !== undefined && least <= Math.max(1, Math.round(nearest.length * 0.4)) ? `. Did you mean ${nearest}?` : ''
}

function bare (name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}

/** A path of keys and places as one would write it. */
export function spellPath (keys: readonly string[]): string {
  return keys.reduce((path, key) => {
    if (/^\d+$/.test(key)) return `${path}[${key}]`
    if (!/^[\w$-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`
    return path === '' ? key : `${path}.${key}`
  }, '')
}

/** The longest text of a value that a mistake shows, in characters. */
const MAX_SHOWN = 60

/** A value as it is shown in a mistake: short, and on one line. */
export function show (value: unknown): string {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value) ?? 'nothing'
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text
}
