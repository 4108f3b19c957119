import { access, readFile } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { interpolate, withEnvironment, type Environment } from './environment.ts'
import { ConfigError } from './mistakes.ts'
import { resolveConfig } from './resolve.ts'
import type { Config } from './schema.ts'

/** Names that are looked for in the working directory, in this order. */
export const configNames = ['media.config.yaml', 'media.config.yml', 'media.config.json', 'media.config.js', 'media.config.mjs'] as const

/** Where a configuration comes from. */
export interface LoadOptions {
  /** The working directory. */
  cwd: string
  environment: Environment
  /** A file; without it, the first of {@link configNames} that is there; null looks for none. */
  file?: string | null | undefined
  /** What stands in for a configuration where there is no file. */
  fallback: unknown
}

/** A configuration, and what of it is not to be shown. */
export interface LoadedConfig {
  readonly config: Readonly<Config>
  readonly secrets: ReadonlySet<string>
  /** The file it was read from, if any. */
  readonly file: string | undefined
}

/**
 * Reads the configuration file, puts the environment's values in, checks the whole.
 *
 * @throws {ConfigError} with every mistake
 */
export async function loadConfig (options: LoadOptions): Promise<LoadedConfig> {
  const file = await fileOf(options)
  const origin = file ?? 'the configuration'
  const written = file === undefined ? options.fallback : await readConfig(file)
  const { value, secrets } = interpolate(written, options.environment, origin)
  const base = file === undefined ? options.cwd : dirname(file)
  const config = await resolveConfig(withEnvironment(value, options.environment), base, origin)
  return { config, secrets, file }
}

async function fileOf ({ file, cwd }: LoadOptions): Promise<string | undefined> {
  if (file === null) return undefined
  return file === undefined ? await findConfig(cwd) : resolve(cwd, file)
}

async function findConfig (directory: string): Promise<string | undefined> {
  for (const name of configNames) {
    const file = join(directory, name)
    if (await access(file).then(() => true, () => false)) return file
  }
  return undefined
}

async function readConfig (file: string): Promise<unknown> {
  try {
    switch (extname(file)) {
      case '.yaml':
      case '.yml': {
        const { parse } = await import('yaml') // its 30 ms only for those who use it
        return parse(await readFile(file, 'utf8')) ?? {}
      }
      case '.json':
        return JSON.parse(await readFile(file, 'utf8'))
      case '.js':
      case '.mjs':
        return await (await import(pathToFileURL(file).href) as { default?: unknown }).default
      default:
        throw new TypeError('Expected a name that ends in .yaml, .yml, .json, .js or .mjs')
    }
  } catch (cause) {
    throw new ConfigError([{ path: '', message: `It cannot be read: ${(cause as Error).message}` }], file)
  }
}
