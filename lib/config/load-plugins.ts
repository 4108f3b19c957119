import { pathToFileURL } from 'node:url'
import { record } from './loose.ts'
import { ConfigError, didYouMean, show, spellPath, type Mistake } from './mistakes.ts'
import type { Config, MountConfig } from './schema.ts'

/** A plugin of someone else's: what it is, its framework knows. */
export type ForeignPlugin = (...values: never[]) => unknown

/** One of the list, and what it is registered with. */
export interface ListedPlugin {
  readonly plugin: ForeignPlugin
  readonly options: Readonly<Record<string, unknown>>
}

/** One that a mount has, and where. */
export interface MountPlugin extends ListedPlugin {
  /** As the list has it. */
  readonly name: string
  readonly at: MountConfig['plugins'][number]['at']
}

/**
 * The plugins of others that mounts may name: those that the configuration lists, and those that the app gives
 * as functions. There are no others. Modules are run here, also those that no mount names.
 *
 * @param given functions by name: for those that are listed without a module, or not at all
 * @throws {ConfigError} with every plugin that cannot be had, and every mount that names one that is not listed
 */
export async function loadPlugins (config: Pick<Config, 'plugins' | 'mounts'>, given: Readonly<Record<string, unknown>> = {}): Promise<ReadonlyMap<string, ListedPlugin>> {
  const mistakes: Mistake[] = []
  const found = new Map<string, ListedPlugin>()
  const functions = new Map(Object.entries(given))
  for (const [name, { module, options }] of Object.entries(config.plugins)) {
    const plugin = await pluginOf(name, module, functions).catch((error: unknown) => {
      mistakes.push({ path: spellPath(['plugins', name]), message: (error as Error).message })
    })
    if (plugin !== undefined) found.set(name, { plugin, options })
  }
  for (const [name, plugin] of functions) {
    if (Object.hasOwn(config.plugins, name)) continue
    if (isPlugin(plugin)) found.set(name, { plugin, options: {} })
    else mistakes.push({ path: spellPath(['extensions', name]), message: `Expected a function but received ${show(plugin)}` })
  }
  mistakes.push(...unlisted(config, [...new Set([...Object.keys(config.plugins), ...functions.keys()])]))
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return found
}

/** What a mount has of them, in its order. @param listed holds all that the mount names */
export function pluginsOf ({ plugins }: Pick<MountConfig, 'plugins'>, listed: ReadonlyMap<string, ListedPlugin>): MountPlugin[] {
  return plugins.map(({ use, at }) => ({ name: use, at, ...listed.get(use) as ListedPlugin }))
}

async function pluginOf (name: string, module: string | undefined, given: ReadonlyMap<string, unknown>): Promise<ForeignPlugin> {
  if (module === undefined) {
    if (!given.has(name)) throw new TypeError('Expected a module, or a function of this name from the app (extensions), but there is neither')
    const plugin = given.get(name)
    if (!isPlugin(plugin)) throw new TypeError(`Expected a function from the app (extensions) but received ${show(plugin)}`)
    return plugin
  }
  if (given.has(name)) throw new TypeError('Expected a module or a function of this name from the app (extensions), but there are both')
  const { href } = pathToFileURL(module)
  const exported = await import(href).catch((error: unknown) => {
    throw new TypeError(`Expected a module that can be run but ${show(module)} cannot: ${error instanceof Error ? error.message : String(error)}`)
  })
  const plugin: unknown = exported.default
  // What TypeScript and bundlers make of a default export in CommonJS.
  const inner = record(plugin).default
  if (isPlugin(plugin)) return plugin
  if (isPlugin(inner)) return inner
  throw new TypeError(`Expected ${show(module)} to export a function as default but received ${show(plugin)}`)
}

function isPlugin (value: unknown): value is ForeignPlugin {
  return typeof value === 'function'
}

function unlisted ({ mounts }: Pick<Config, 'mounts'>, names: readonly string[]): Mistake[] {
  return mounts.flatMap(({ plugins }, mount) => plugins.flatMap(({ use }, place) => {
    return names.includes(use) ? [] : [{ path: `mounts[${mount}].plugins[${place}].use`, message: `Expected the name of a listed plugin but received ${show(use)}${didYouMean(use, names)}` }]
  }))
}
