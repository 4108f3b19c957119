import { resolve } from 'node:path'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { interpolate, valueOf, withEnvironment, type Environment } from './environment.ts'
import type { StrategyConfig } from './access-schema.ts'
import { list, record } from './loose.ts'
import { ConfigError, elsewhere, show, spellPath, type Mistake } from './mistakes.ts'
import { plainCopy } from './plain.ts'
import { redact, redactWithin } from './redact.ts'
import { relationMistakes } from './relations.ts'
import type { Config } from './schema.ts'
import { validate } from './validate.ts'
import { keysOf, mistakesOf } from './violations.ts'

/** Where a configuration was written, and where it is to hold. */
export interface ResolveOptions {
  /** The directory that relative paths start from. */
  readonly base: string
  /** How messages name where it was written. */
  readonly origin?: string | undefined
  /** Variables that set scalars; none without it. */
  readonly environment?: Environment | undefined
  /** Whether `${NAME}` stands for a variable. Default false: texts are what they are. */
  readonly interpolates?: boolean
  /** Names of strategies that the app gives itself: mounts may name them too. */
  readonly ownStrategies?: readonly string[] | undefined
}

/** A configuration that holds. */
export interface Resolved {
  /** With every default in place, and frozen. */
  readonly config: Readonly<Config>
  /** Values that are not to be shown. */
  readonly secrets: ReadonlySet<string>
}

/**
 * Puts variables and defaults in, and checks the whole. The input stays as it is.
 *
 * @param input what was written, of any shape
 * @throws {ConfigError} with every mistake there is
 */
export async function resolveConfig (input: unknown, options: ResolveOptions): Promise<Resolved> {
  const { base, origin, environment = {}, interpolates = false, ownStrategies = [] } = options
  const written = plainCopy(input)
  const filled = interpolates ? interpolate(written.value, environment) : { value: written.value, sources: new Map<string, string>(), secrets: new Set<string>(), mistakes: [] }
  const applied = withEnvironment(filled.value, environment)
  const secrets = new Set([...filled.secrets, ...writtenSecrets(applied.value)])
  const sources = new Map([...filled.sources, ...applied.sources])
  const shown = (value: unknown): string => show(redact(value, secrets))

  const config = applied.value
  const mistakes = [...written.mistakes, ...filled.mistakes]
  mistakes.push(...elsewhere(mistakes, schemaMistakes(config, filled.sources, shown)))
  mistakes.push(...elsewhere(mistakes, await relationMistakes(config, { base, shown, ownStrategies })))
  if (mistakes.length > 0) throw new ConfigError(mistakes.map(mistake => told(mistake, sources, secrets)), origin)
  return { config: deepFreeze(normalise(config as Config, base)), secrets }
}

/** Puts the defaults in. A text that is a variable's alone counts as the number, flag or list that is expected there. */
function schemaMistakes (config: unknown, sources: ReadonlyMap<string, string>, shown: (value: unknown) => string): Mistake[] {
  if (validate(config)) return []
  let changed = false
  for (const { keyword, data, params, instancePath } of validate.errors ?? []) {
    const keys = keysOf(instancePath)
    if (keyword !== 'type' || typeof data !== 'string' || !sources.has(spellPath(keys))) continue
    const parent = keys.slice(0, -1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], config) as Record<string, unknown>
    parent[keys.at(-1) as string] = valueOf(data, (params as { type: string }).type)
    changed = true
  }
  return changed && validate(config) ? [] : mistakesOf(validate.errors ?? [], shown)
}

/** Characters from which on a written text is taken for a secret: a shorter one would hide half of every sentence, and is refused anyway. */
const LEAST_SECRET = 8

/** Secrets that stand in the configuration itself. */
function writtenSecrets (config: unknown): string[] {
  const strategies = Object.values(record(record(config).strategies)).map(record)
  const written = strategies.flatMap(({ driver, key, keys }) => list(keys).map(each => record(each).secret).concat(driver === 'jwt' ? key : undefined))
  const buckets = Object.values(record(record(config).sources)).map(record).flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken])
  const webhooks = Object.values(record(record(record(config).events).webhooks)).map(webhook => record(webhook).secret).flatMap(secret => typeof secret === 'string' ? secret.split(/\s*\n\s*/) : [])
  return [...written, ...buckets, ...webhooks].filter(text => typeof text === 'string').filter(text => text.length >= LEAST_SECRET)
}

/** A mistake that names the variable its value came from, and no secret. */
function told ({ path, message }: Mistake, sources: ReadonlyMap<string, string>, secrets: ReadonlySet<string>): Mistake {
  const name = sources.get(path) ?? sources.get(path.replace(/\[\d+\]$/, ''))
  return { path, message: redactWithin(message, secrets) + (name === undefined ? '' : ` (from ${name})`) }
}

function normalise (config: Config, base: string): Config {
  for (const source of Object.values(config.sources)) {
    if (source.driver === 'file') source.root = resolve(base, source.root)
    if (source.driver === 's3') resolveNames(source, ['ca', 'secretAccessKeyFile'], base)
  }
  for (const { tls } of Object.values(config.upstreams)) if (tls !== undefined) resolveNames(tls, ['ca', 'cert', 'key'], base)
  for (const webhook of Object.values(config.events.webhooks)) {
    resolveNames(webhook, ['ca', 'secretFile'], base)
    webhook.mounts = webhook.mounts.map(withoutTrailingSlash)
  }
  resolveNames(config.uploads, ['directory'], base)
  if (config.api !== undefined) config.api.prefix = withoutTrailingSlash(config.api.prefix)
  for (const strategy of Object.values(config.strategies)) resolveKeyFiles(strategy, base)
  for (const plugin of Object.values(config.plugins)) if (plugin.module !== undefined) plugin.module = resolve(base, plugin.module)
  for (const mount of config.mounts) mount.prefix = withoutTrailingSlash(mount.prefix)
  for (const { integrity } of config.mounts) if (integrity?.manifest !== undefined) integrity.manifest = resolve(base, integrity.manifest)
  config.httpCache.directory = resolve(base, config.httpCache.directory)
  config.images.cache.directory = resolve(base, config.images.cache.directory)
  if (config.log.file !== undefined) config.log.file = resolve(base, config.log.file)
  return config
}

/** Names of files that are there start from the directory of the configuration. */
function resolveNames<K extends string> (named: { [name in K]?: string }, names: readonly K[], base: string): void {
  for (const name of names) if (named[name] !== undefined) named[name] = resolve(base, named[name])
}

function resolveKeyFiles (strategy: StrategyConfig, base: string): void {
  if (strategy.driver === 'jwt' && strategy.keyFile !== undefined) strategy.keyFile = resolve(base, strategy.keyFile)
  if (strategy.driver === 'forward' && strategy.ca !== undefined) strategy.ca = resolve(base, strategy.ca)
  if (strategy.driver === 'signed') for (const key of strategy.keys) if (key.secretFile !== undefined) key.secretFile = resolve(base, key.secretFile)
  if (strategy.driver === 'apiKey') for (const key of strategy.keys) key.mounts = key.mounts.map(withoutTrailingSlash)
}

function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
