import type { ErrorObject } from 'ajv/dist/2020.js'
import { didYouMean, show, spellPath, type Mistake } from './mistakes.ts'

/** The parts of a schema that sentences are made of. */
interface Schema {
  type?: string
  properties?: Record<string, Schema>
  oneOf?: Schema[]
  const?: unknown
  examples?: unknown[]
}

/** The keys of a JSON Pointer (RFC 6901 §3). */
export function keysOf (pointer: string): string[] {
  return pointer.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/**
 * The mistakes that a validator's errors tell, in our words.
 *
 * @param shown how a value may be shown
 */
export function mistakesOf (errors: readonly ErrorObject[], shown: (value: unknown) => string = show): Mistake[] {
  const mistakes = errors.map(error => tell(error, keysOf(error.instancePath), shown))
  // A missing discriminator is told by two keywords: once is enough.
  return mistakes.filter(({ path }, place) => mistakes.findIndex(other => other.path === path) === place)
}

function tell (error: ErrorObject, keys: readonly string[], shown: (value: unknown) => string): Mistake {
  const schema = error.parentSchema as Schema
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'required': {
      const name = params.missingProperty as string
      return { path: spellPath([...keys, name]), message: `Expected ${expectation(schema, name)}, but it is missing` }
    }
    case 'additionalProperties': {
      const name = params.additionalProperty as string
      return { path: spellPath([...keys, name]), message: unknownKey(name, schema) }
    }
    case 'discriminator': {
      const drivers = (schema.oneOf ?? []).map(({ properties }) => String(properties?.driver?.const))
      return { path: spellPath([...keys, 'driver']), message: oneOf(drivers, params.tagValue, shown) }
    }
    case 'enum':
      return { path: spellPath(keys), message: oneOf((params.allowedValues as unknown[]).map(String), error.data, shown) }
    default:
      return { path: spellPath(keys), message: `Expected ${described(error, schema)} but received ${shown(error.data)}` }
  }
}

function oneOf (words: readonly string[], received: unknown, shown: (value: unknown) => string): string {
  const hint = typeof received === 'string' ? didYouMean(received, words) : ''
  return `Expected ${words.length === 1 ? '' : 'one of '}${words.join(', ')} but received ${shown(received)}${hint}`
}

function unknownKey (name: string, { properties, examples }: Schema): string {
  const names = Object.keys(properties ?? {})
  if (names.length === 0) return `Expected a name such as ${Object.keys(examples?.[0] as object)[0]} but received ${show(name)}`
  return `Unknown key${didYouMean(name, names) || `. Expected one of ${names.join(', ')}`}`
}

/** What a missing key should have held. */
function expectation ({ properties, oneOf: branches }: Schema, name: string): string {
  const drivers = branches?.map(branch => String(branch.properties?.[name]?.const))
  return drivers === undefined ? article(properties?.[name]?.type ?? 'value') : `one of ${drivers.join(', ')}`
}

function described ({ keyword, params }: ErrorObject, schema: Schema): string {
  const { limit, type } = params as { limit: number, type: string }
  switch (keyword) {
    case 'type': return article(type)
    case 'pattern': return `something like ${show(schema.examples?.[0])}`
    case 'minimum': return `at least ${limit}`
    case 'maximum': return `at most ${limit}`
    case 'minLength': return 'a text that is not empty'
    case 'maxLength': return `at most ${limit} characters`
    default: return `a list of at least ${limit}` // minItems
  }
}

const words: Record<string, string> = { object: 'an object', array: 'a list', string: 'a text', integer: 'a whole number', boolean: 'true or false' }

function article (type: string): string {
  return words[type] ?? `a ${type}`
}
