import { availableParallelism } from 'node:os'
import { didYouMean } from './config/mistakes.ts'
import { withoutTrailingSlash } from './paths/prefix.ts'
import { resolveConfig } from './config/resolve.ts'
import type { Config, ConfigInput, MountConfig } from './config/schema.ts'
import { MediaError } from './errors.ts'
import { imagesOf, type ImageLog, type Images } from './image/registry.ts'
import { warmMounts, type WarmMount, type WarmNews } from './image/warm.ts'
import { openSources, type Sources } from './sources/registry.ts'
import { sendersOf } from './sources/senders.ts'
import { filesOf } from './sources/walk.ts'
import type { Asked } from './transform/asked.ts'
import { parseQuery } from './transform/grammars/query.ts'
import { openUpstreams } from './upstream/registry.ts'

export type { WarmNews } from './image/warm.ts'

/** What is made ahead of requests, and how. */
export interface WarmChoices {
  /** The directory that relative paths of the configuration start from. */
  readonly base: string
  /** The prefix of the one mount whose pictures are made. Default: all mounts that have presets, or that may be asked for `queries`. */
  readonly mount?: string | undefined
  /** Names of presets. Default: all of each mount, where there are no queries. */
  readonly presets?: readonly string[] | undefined
  /** Further variants, as a URL asks for them: `w=320&f=auto`. */
  readonly queries?: readonly string[] | undefined
  /** Workers. Default: `images.workers` of the configuration. */
  readonly concurrency?: number | undefined
  /** Names of strategies that the app registers itself, where its mounts name them. */
  readonly ownStrategies?: readonly string[] | undefined
  /** The prefix of the app within its host, where it has one: it is a part of the URLs. */
  readonly prefix?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onNews?: ((news: WarmNews) => void) | undefined
  /** Told how many files there are, once they are counted, beside the work. */
  readonly onTotal?: ((files: number) => void) | undefined
  readonly log?: ImageLog | undefined
}

/** How many variants there are of which outcome, and files that are no pictures. */
export type WarmCounts = Record<WarmNews['kind'], number>

/** Milliseconds: here nobody waits for an answer. */
const FOREVER = 2_147_483_647

/**
 * Makes the variants of a tree of pictures before anyone asks, into the cache that servers with
 * the same configuration use. What is kept already is left: it goes on where it was stopped.
 *
 * @param configuration that of the servers
 * @throws {ConfigError} with every mistake in it
 * @throws {MediaError} `bad-transform`, `forbidden`, `not-found` where there is nothing to make;
 *   `unavailable` where the cache keeps nothing
 * @throws the signal's reason
 *
 * @example
 * const { made, failed } = await warm(configuration, { base: process.cwd(), queries: ['w=320&f=auto'] })
 */
export async function warm (configuration: ConfigInput, choices: WarmChoices): Promise<WarmCounts> {
  const { base, concurrency, signal = new AbortController().signal, onNews, onTotal, log = { warn: () => {} } } = choices
  const { config: own } = await resolveConfig(configuration, { base, ownStrategies: choices.ownStrategies })
  const config = fitted(own, concurrency)
  const upstreams = await openUpstreams(config, { info () {}, warn: (facts, message) => log.warn(facts, message) })
  const sources = await openSources(config, sendersOf(config, { upstreams, httpCache: undefined }))
  const images = imagesOf(config, sources, log)
  const counts: WarmCounts = { made: 0, there: 0, failed: 0, picture: 0, 'no-picture': 0 }
  const ended = new AbortController()
  try {
    const mounts = mountsOf(config, { sources, images }, choices)
    if (onTotal !== undefined) void countFiles(mounts, ended.signal, onTotal)
    await warmMounts(mounts, {
      concurrency: (config.images.workers || availableParallelism()) + 1, // one more, so that no worker waits for a look at the disk
      signal,
      tell (news) {
        counts[news.kind]++
        onNews?.(news)
      }
    })
    return counts
  } finally {
    ended.abort()
    await images.close()
    await upstreams.close()
  }
}

/** Without what is kept in memory for those who ask again. */
function fitted (config: Readonly<Config>, workers = config.images.workers): Config {
  const { images, hotFiles } = config
  if (images.cache.redis === undefined && images.cache.s3 === undefined && images.cache.diskBytes === 0) {
    throw new MediaError('not-found', { detail: 'Nothing can be made ahead: variants are kept in the memory of each server alone (images.cache.diskBytes is 0, and there is no redis)' })
  }
  return {
    ...config,
    hotFiles: { ...hotFiles, maxFileBytes: 0 },
    images: { ...images, workers, maxWaitMs: FOREVER, cache: { ...images.cache, memoryBytes: 0 } }
  }
}

function mountsOf (config: Readonly<Config>, { sources, images }: { sources: Sources, images: Images }, choices: WarmChoices): WarmMount[] {
  const { mount: asked, prefix: outer = '' } = choices
  const able = config.mounts.filter(({ delivery, images: { mode } }) => delivery === 'serve' && mode !== 'off')
  const chosen = asked === undefined ? able : able.filter(mount => mount.prefix === withoutTrailingSlash(asked))
  if (asked !== undefined && chosen.length === 0) throw nothing(`There is no mount ${asked} that makes variants${didYouMean(asked, able.map(({ prefix }) => prefix))}`)
  refuseUnknownPresets(chosen, choices.presets ?? [])
  const mounts = chosen.flatMap(mount => {
    const prefix = `${withoutTrailingSlash(outer)}${mount.prefix}`.replace(/\/$/, '')
    const { images: own } = images.at(mount, prefix)
    const texts = queriesOf(mount, choices)
    return own === undefined || texts.length === 0 ? [] : [{ prefix, source: sources.of(mount), images: own, asked: texts.map(text => admitted(text, mount, own.admitted.bind(own))) }]
  })
  if (mounts.length === 0) throw nothing('There are no presets: say what is to be made with a query, such as w=320&f=auto')
  return mounts
}

function refuseUnknownPresets (mounts: readonly MountConfig[], names: readonly string[]): void {
  const known = mounts.flatMap(({ images }) => Object.keys(images.presets))
  for (const name of names) if (!known.includes(name)) throw nothing(`There is no preset ${name}${didYouMean(name, known)}`)
}

function queriesOf ({ images }: MountConfig, { presets = [], queries = [] }: WarmChoices): string[] {
  const own = Object.keys(images.presets)
  const names = presets.length > 0 ? own.filter(name => presets.includes(name)) : queries.length > 0 ? [] : own
  return [...names.map(name => `preset=${name}`), ...queries]
}

/** What a query asks, if the mount's URLs may ask it. */
function admitted (text: string, { prefix }: MountConfig, admit: (asked: Asked) => unknown): Asked {
  try {
    const asked = parseQuery(text.replace(/^\?/, ''), { unknown: 'refuse', ignored: [] })
    if (Object.keys(asked.values).length === 0 && asked.preset === undefined && !asked.info) throw new MediaError('bad-transform', { detail: 'it asks for nothing' })
    admit(asked)
    return asked
  } catch (error) {
    if (!(error instanceof MediaError)) throw error
    throw new MediaError(error.code, { detail: `${text} at ${prefix}: ${error.message}` })
  }
}

function nothing (detail: string): MediaError {
  return new MediaError('not-found', { detail })
}

/** Counts until it is done, or the signal says that nobody wants to know. */
async function countFiles (mounts: readonly WarmMount[], signal: AbortSignal, onTotal: (files: number) => void): Promise<void> {
  let total = 0
  for (const { source } of mounts) {
    const files = filesOf(source, () => {})
    while ((await files.next()).done !== true) {
      if (signal.aborted) return
      total++
    }
  }
  onTotal(total)
}
