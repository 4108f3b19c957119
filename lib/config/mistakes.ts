import type { ErrorObject } from 'ajv/dist/2020.js'
import { closest, distance } from 'fastest-levenshtein'

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

/** The sentence that points at the name that was probably meant, or nothing. */
export function didYouMean (word: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  const nearest = closest(word, names)
  const near = distance(word.toLowerCase(), nearest.toLowerCase()) <= Math.max(1, Math.floor(nearest.length / 3))
  return near ? `. Did you mean ${nearest}?` : ''
}

/** A path of keys and places as one would write it. */
export function spellPath (keys: readonly string[]): string {
  return keys.reduce((path, key) => {
    if (/^\d+$/.test(key)) return `${path}[${key}]`
    if (!/^[\w$-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`
    return path === '' ? key : `${path}.${key}`
  }, '')
}

/** A value as it is shown in a mistake: short, and on one line. */
export function show (value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** The mistakes that a validator's errors tell, in the order of their paths. */
export function mistakesOf (errors: readonly ErrorObject[]): Mistake[] {
  const mistakes = errors.map(error => {
    const keys = error.instancePath.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const name = (error.params as { additionalProperty?: string }).additionalProperty
    return { path: spellPath(name === undefined ? keys : [...keys, name]), message: sentence(error) }
  })
  // A wrong discriminator is told by several keywords at one place: once is enough.
  return mistakes.filter((one, place) => mistakes.findIndex(other => other.path === one.path && other.message === one.message) === place)
}

function sentence (error: ErrorObject): string {
  const { keyword, data, params } = error
  const schema = error.parentSchema as { properties?: object, patternProperties?: object, examples?: unknown[] } | undefined
  const got = `but received ${show(data)}`
  if (keyword === 'additionalProperties') {
    const names = Object.keys(schema?.properties ?? {})
    const word = (params as { additionalProperty: string }).additionalProperty
    return names.length > 0
      ? `Unknown key${didYouMean(word, names)}`
      : `Expected a name that matches ${Object.keys(schema?.patternProperties ?? {}).join(' or ')}`
  }
  if (keyword === 'required') return `Expected the key ${(params as { missingProperty: string }).missingProperty}, which is missing`
  if (keyword === 'enum') return `Expected one of ${(params as { allowedValues: unknown[] }).allowedValues.join(', ')} ${got}${didYouMean(String(data), ((params as { allowedValues: unknown[] }).allowedValues).map(String))}`
  if (keyword === 'discriminator') return `Expected the driver to be one of file, tree ${got}`
  if (keyword === 'type') return `Expected ${article((params as { type: string }).type)} ${got}`
  if (keyword === 'pattern') return `Expected ${example(schema)}${(params as { pattern: string }).pattern} ${got}`
  return `Expected a value that ${error.message} ${got}`
}

function article (type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function example (schema: { examples?: unknown[] } | undefined): string {
  return schema?.examples === undefined ? 'a text that matches ' : `something like ${show(schema.examples[0])}, matching `
}
