import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { cacheControl } from '../http/cache-control.ts'
import { trustRanges } from '../http/forwarded.ts'
import { ConfigError, didYouMean, mistakesOf, show, type Mistake } from './mistakes.ts'
import { Config } from './schema.ts'

const ajv = new Ajv2020({ allErrors: true, useDefaults: true, discriminator: true, strict: false, verbose: true })
const validate = ajv.compile<Config>(Config)

/**
 * A configuration with every default in place, checked and frozen. The input stays as it is.
 *
 * @param input what was written, of any shape
 * @param base the directory that relative paths start from
 * @param origin how messages name where it was written
 * @throws {ConfigError} with every mistake there is
 */
export async function resolveConfig (input: unknown, base: string, origin?: string): Promise<Readonly<Config>> {
  const config: unknown = structuredClone(input)
  if (!validate(config)) throw new ConfigError(mistakesOf(validate.errors ?? []), origin)
  for (const source of Object.values(config.sources)) {
    if (source.driver === 'file') source.root = resolve(base, source.root)
  }
  for (const mount of config.mounts) mount.prefix = withoutTrailingSlash(mount.prefix)
  if (config.log.file !== undefined) config.log.file = resolve(base, config.log.file)
  const mistakes = [...relations(config), ...words(config), ...await roots(config)]
  if (mistakes.length > 0) throw new ConfigError(mistakes, origin)
  return deepFreeze(config)
}

function withoutTrailingSlash (prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

/** What no schema can say: names that must exist, values that exclude each other. */
function relations (config: Config): Mistake[] {
  const mistakes: Mistake[] = []
  const names = Object.keys(config.sources)
  const needSource = (name: string, path: string): void => {
    if (!names.includes(name)) mistakes.push({ path, message: `Expected the name of a source but received ${show(name)}${didYouMean(name, names)}` })
  }
  config.mounts.forEach((mount, place) => {
    const path = `mounts[${place}]`
    needSource(mount.source, `${path}.source`)
    const first = config.mounts.findIndex(other => other.prefix === mount.prefix)
    if (first < place) mistakes.push({ path: `${path}.prefix`, message: `Expected a prefix of its own but ${mount.prefix} is that of mounts[${first}]` })
    if (mount.cors?.credentials === true && mount.cors.origins.includes('*')) {
      mistakes.push({ path: `${path}.cors.credentials`, message: 'Expected false, because origins holds "*": credentials need exact origins' })
    }
    if (mount.trustActiveContent && mount.permission === 'read-write') {
      mistakes.push({ path: `${path}.trustActiveContent`, message: 'Expected false, because clients may write to this mount' })
    }
  })
  for (const [name, source] of Object.entries(config.sources)) {
    if (source.driver !== 'tree') continue
    source.branches.forEach((branch, place) => needSource(branch.source, `sources.${name}.branches[${place}].source`))
    if (reaches(config, name, name)) mistakes.push({ path: `sources.${name}.branches`, message: 'Expected no branch that leads back to the tree itself' })
  }
  return mistakes
}

function reaches (config: Config, from: string, to: string, seen = new Set<string>()): boolean {
  const source = config.sources[from]
  if (source?.driver !== 'tree' || seen.has(from)) return false
  seen.add(from)
  return source.branches.some(branch => branch.source === to || reaches(config, branch.source, to, seen))
}

/** Texts with a grammar of their own. */
function words (config: Config): Mistake[] {
  const mistakes: Mistake[] = []
  const attempt = (path: string, action: () => unknown): void => {
    try {
      action()
    } catch (error) {
      mistakes.push({ path, message: (error as Error).message })
    }
  }
  config.trustedProxies.forEach((range, place) => attempt(`trustedProxies[${place}]`, () => trustRanges([range])))
  config.mounts.forEach(({ cache }, place) => {
    attempt(`mounts[${place}].cache.default`, () => cacheControl(cache.default))
    for (const [type, rule] of Object.entries(cache.types)) attempt(`mounts[${place}].cache.types[${JSON.stringify(type)}]`, () => cacheControl(rule))
  })
  return mistakes
}

async function roots (config: Config): Promise<Mistake[]> {
  const checked = await Promise.all(Object.entries(config.sources).map(async ([name, source]): Promise<Mistake | undefined> => {
    if (source.driver !== 'file') return undefined
    const stats = await stat(source.root).catch(() => undefined)
    return stats?.isDirectory() === true ? undefined : { path: `sources.${name}.root`, message: `Expected an existing directory but received ${show(source.root)}` }
  }))
  return checked.filter(mistake => mistake !== undefined)
}

function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
