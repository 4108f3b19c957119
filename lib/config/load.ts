import { access } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { readConfig } from './read.ts'
import { resolveConfig, type Resolved } from './resolve.ts'

/** Names that are looked for in the working directory, in this order. */
export const configNames = ['media.config.yaml', 'media.config.yml', 'media.config.json', 'media.config.js', 'media.config.mjs'] as const

/** Where a configuration comes from. */
export interface LoadOptions {
  /** The working directory. */
  cwd: string
  environment: Environment
  /** A file; without it, the first of {@link configNames} that is there; null looks for none. */
  file?: string | null | undefined
  /** What stands in for a configuration where there is no file. Its texts are what they are. */
  fallback: unknown
  /** Names of strategies that the app gives itself. */
  ownStrategies?: readonly string[] | undefined
}

/** A configuration that holds, and where it was written. */
export interface LoadedConfig extends Resolved {
  /** The file it was read from, if any. */
  readonly file: string | undefined
}

/**
 * Reads the configuration file, puts the environment's values in, checks the whole.
 *
 * @throws {ConfigError} with every mistake
 */
export async function loadConfig ({ cwd, environment, file: asked, fallback, ownStrategies }: LoadOptions): Promise<LoadedConfig> {
  const file = asked === undefined ? await findConfig(cwd) : asked === null ? undefined : resolve(cwd, asked)
  const resolved = file === undefined
    ? await resolveConfig(fallback, { base: cwd, environment, ownStrategies })
    : await resolveConfig(await readConfig(file), { base: dirname(file), origin: file, environment, interpolates: true, ownStrategies })
  return { ...resolved, file }
}

async function findConfig (directory: string): Promise<string | undefined> {
  for (const name of configNames) {
    const file = join(directory, name)
    if (await access(file).then(() => true, () => false)) return file
  }
  return undefined
}
