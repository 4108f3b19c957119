import { join } from 'node:path'
import { packageRoot } from '../package-root.ts'
import type { Environment } from './environment.ts'
import { loadConfig } from './load.ts'
import { ConfigError, show } from './mistakes.ts'
import { resolveConfig } from './resolve.ts'
import type { Config, ConfigInput } from './schema.ts'

/** What the root app is registered with: a configuration, or the file that holds one. */
export type MediaOptions = ConfigInput & {
  /** A configuration file, instead of everything else. */
  config?: string
}

/** Where an app runs. */
export interface Surroundings {
  cwd: string
  environment: Environment
  /** Keys of the options that are not for us, such as the server's own that fastify-cli hands on. */
  ignore: readonly string[]
  /** Names of strategies that the app gives itself. */
  ownStrategies?: readonly string[]
}

/** Keys that Fastify's `register` takes for itself. */
const REGISTER_KEYS = new Set(['prefix', 'logLevel', 'logSerializers', 'encapsulate'])

/** What is served where nothing is configured: one directory, listed. */
export function directoryConfig (directory: string | undefined): ConfigInput {
  return {
    sources: { files: { driver: 'file', root: directory || join(packageRoot, 'examples', 'media') } },
    mounts: [{ prefix: '/', source: 'files', listing: true }]
  }
}

/**
 * The configuration an app was registered with. Without any option it is the configuration
 * file's in the working directory, or else the directory that `MEDIA_ROOT` names.
 *
 * @throws {ConfigError} with every mistake
 */
export async function configOf (options: MediaOptions, surroundings: Surroundings): Promise<Readonly<Config>> {
  const { cwd, environment, ignore, ownStrategies = [] } = surroundings
  const own = Object.entries(options).filter(([key, value]) => value !== undefined && !REGISTER_KEYS.has(key) && !ignore.includes(key))
  const { config: file, ...inline } = Object.fromEntries(own) as Record<string, unknown>
  if (file !== undefined && typeof file !== 'string') throw new ConfigError([{ path: 'config', message: `Expected the name of a file but received ${show(file)}` }])
  if (Object.keys(inline).length === 0) {
    return (await loadConfig({ cwd, environment, file, fallback: directoryConfig(environment.MEDIA_ROOT), ownStrategies })).config
  }
  if (file !== undefined) throw new ConfigError([{ path: 'config', message: `Expected no other option beside it but received ${Object.keys(inline).join(', ')}` }])
  return (await resolveConfig(inline, { base: cwd, ownStrategies })).config
}
