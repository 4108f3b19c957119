import { show, spellPath, type Mistake } from './mistakes.ts'
import { Config } from './schema.ts'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One scalar of the configuration that a variable sets. */
export interface Variable {
  readonly name: string
  /** The keys that lead to it. */
  readonly keys: readonly string[]
  readonly type: string
  readonly description: string
  readonly default: unknown
}

interface Node { type?: string, description?: string, default?: unknown, env?: string, properties?: Record<string, Node> }

/** Every variable the schema names, in its order. */
export function variables (node: Node = Config, keys: readonly string[] = []): Variable[] {
  const own = node.env === undefined ? [] : [{ name: node.env, keys, type: node.type ?? 'string', description: node.description ?? '', default: node.default }]
  return [...own, ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => variables(child, [...keys, key]))]
}

/** A configuration in which variables stand, and which of them. */
export interface Applied {
  readonly value: unknown
  /** Names of variables by the path of what they alone set. */
  readonly sources: ReadonlyMap<string, string>
}

/**
 * A configuration in which the variables that are set take the place of what was written.
 * Lists are separated by commas. A text that is no number or flag is left for the check of
 * the whole to name. Empty variables are as if they were not set.
 *
 * @param input plain data; it stays as it is
 */
export function withEnvironment (input: unknown, environment: Environment): Applied {
  const sources = new Map<string, string>()
  if (!isObject(input)) return { value: input, sources }
  const set = (object: Record<string, unknown>, keys: readonly string[], scalar: unknown): Record<string, unknown> => {
    const [key = '', ...rest] = keys
    if (rest.length === 0) return { ...object, [key]: scalar }
    const below = object[key] === undefined ? {} : object[key]
    return isObject(below) ? { ...object, [key]: set(below, rest, scalar) } : object
  }
  let value = input
  for (const { name, keys, type } of variables()) {
    const text = environment[name]
    if (text === undefined || text === '') continue
    value = set(value, keys, valueOf(text, type))
    sources.set(spellPath(keys), name)
  }
  return { value, sources }
}

/** A text as a value of a type; as it is, where it is none. */
export function valueOf (text: string, type: string): unknown {
  if (type === 'array') return text.split(',').map(item => item.trim()).filter(Boolean)
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  return text
}

/** Names of variables whose values are never shown. */
const secretName = /SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|KEY/i

/** A configuration with its variables in place. */
export interface Interpolated extends Applied {
  /** The values of variables with a secret's name. */
  readonly secrets: ReadonlySet<string>
  /** Every variable that is not set, and every `${` that names none. */
  readonly mistakes: readonly Mistake[]
}

/**
 * Puts the environment's values for `${NAME}` in every text; `$${` stands for `${`.
 *
 * @param input plain data; it stays as it is
 */
export function interpolate (input: unknown, environment: Environment): Interpolated {
  const mistakes: Mistake[] = []
  const secrets = new Set<string>()
  const sources = new Map<string, string>()
  const visit = (value: unknown, keys: readonly string[]): unknown => {
    if (typeof value === 'string') return text(value, keys)
    if (Array.isArray(value)) return value.map((item, place) => visit(item, [...keys, String(place)]))
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...keys, key])]))
  }
  const text = (value: string, keys: readonly string[]): string => {
    return value.replaceAll(/\$\$\{|\$\{([^}]*)\}?/g, (whole, name: string | undefined) => {
      if (name === undefined) return '${'
      const found = Object.hasOwn(environment, name) ? environment[name] : undefined
      if (found === undefined) mistakes.push({ path: spellPath(keys), message: refusal(name, whole) })
      else if (found !== '' && secretName.test(name)) secrets.add(found)
      if (found !== undefined && whole === value) sources.set(spellPath(keys), name)
      return found ?? whole
    })
  }
  return { value: visit(input, []), sources, secrets, mistakes }
}

function refusal (name: string, whole: string): string {
  if (/^[A-Za-z_]\w*$/.test(name) && whole.endsWith('}')) return `Expected the environment variable ${name} to be set`
  return `Expected the name of an environment variable, as in \${NAME}, but received ${show(whole)}. A text that holds \${ is written $\${`
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
