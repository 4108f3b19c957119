import { ConfigError, type Mistake } from './mistakes.ts'
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
export function variables (node: Node = Config as Node, keys: readonly string[] = []): Variable[] {
  const own = node.env === undefined ? [] : [{ name: node.env, keys, type: node.type ?? 'string', description: node.description ?? '', default: node.default }]
  return [...own, ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => variables(child, [...keys, key]))]
}

/**
 * A configuration in which the variables that are set take the place of what was written.
 * Lists are separated by commas. A text that is no number or flag is left for the check of
 * the whole to name. Empty variables are as if they were not set.
 */
export function withEnvironment (input: unknown, environment: Environment): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
  const result = structuredClone(input) as Record<string, unknown>
  for (const { name, keys, type } of variables()) {
    const text = environment[name]
    if (text === undefined || text === '') continue
    const last = keys.at(-1) as string
    let at = result
    for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>
    if (typeof at === 'object') at[last] = valueOf(text, type)
  }
  return result
}

function valueOf (text: string, type: string): unknown {
  if (type === 'array') return text.split(',').map(item => item.trim()).filter(Boolean)
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  return text
}

/** Names of variables whose values are never shown. */
const secretName = /SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|KEY/i

/** A configuration with its variables in place, and the places whose value is not to be shown. */
export interface Interpolated {
  readonly value: unknown
  /** The values of variables with a secret's name. */
  readonly secrets: ReadonlySet<string>
}

/**
 * Puts the environment's values for `${NAME}` in every text; `$${` stands for `${`.
 *
 * @throws {ConfigError} naming every variable that is not set, and where
 */
export function interpolate (input: unknown, environment: Environment, origin?: string): Interpolated {
  const mistakes: Mistake[] = []
  const secrets = new Set<string>()
  const visit = (value: unknown, path: string): unknown => {
    if (typeof value === 'string') return text(value, path)
    if (Array.isArray(value)) return value.map((item, place) => visit(item, `${path}[${place}]`))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, path === '' ? key : `${path}.${key}`)]))
  }
  const text = (value: string, path: string): string => {
    return value.replaceAll(/\$\$\{|\$\{(\w*)\}/g, (whole, name: string | undefined) => {
      if (name === undefined) return '${'
      const found = environment[name]
      if (found === undefined) mistakes.push({ path, message: `Expected the environment variable ${name} to be set` })
      if (found !== undefined && found !== '' && secretName.test(name)) secrets.add(found)
      return found ?? whole
    })
  }
  const value = visit(input, '')
  if (mistakes.length > 0) throw new ConfigError(mistakes, origin)
  return { value, secrets }
}

/** A configuration as it may be shown: without secrets, and without the passwords in URLs. */
export function redact (value: unknown, secrets: ReadonlySet<string>): unknown {
  if (typeof value === 'string') {
    const holdsSecret = [...secrets].some(secret => value.includes(secret))
    return holdsSecret ? '[redacted]' : value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/i, '$1[redacted]@')
  }
  if (Array.isArray(value)) return value.map(item => redact(item, secrets))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, secrets)]))
}
