import { resolveConfig } from './config/resolve.ts'
import type { ConfigInput, MountConfig } from './config/schema.ts'
import type { PurgeOutcome } from './cache/purges.ts'
import { imagesOf, type ImageLog, type MountedImages } from './image/registry.ts'
import type { Source } from './sources/source.ts'

export type { ImageLog, MountedImages } from './image/registry.ts'

type MountInput = NonNullable<ConfigInput['mounts']>[number]

/** A source whose pictures are made into variants, for a route of one's own. */
export interface ImagesOfSource extends NonNullable<Pick<MountInput, 'images' | 'cache'>> {
  /** The prefix of its URLs as clients see it, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly source: Source
  /** How variants are made and kept: `images` of the configuration. */
  readonly work?: ConfigInput['images']
  /** Sources that overlays are taken from, by the names that `images.overlays` gives. */
  readonly overlaySources?: Readonly<Record<string, Source>>
  /** The directory that the cache's own starts from. */
  readonly base: string
  readonly log?: ImageLog
}

/** What `reply.serveImage` takes, and what it holds open. */
export interface OpenImages {
  readonly mount: MountedImages & { readonly prefix: string, readonly source: Source }
  /** Forgets variants: `*`, `original:/photos/cat.jpg`, `prefix:/photos/`. */
  purge (tag: string): Promise<PurgeOutcome>
  /** Ends the workers, and closes the cache and the sources. */
  close (): Promise<void>
}

/**
 * Variants of the pictures of a source, for `reply.serveImage` in a route of one's own; the
 * root app does the same for its mounts.
 *
 * @throws {ConfigError} with every mistake in the options
 *
 * @example
 * const images = await openImages({ prefix: '/photos', source: await fileSource({ root: 'photos' }), base: process.cwd() })
 * app.get('/photos/*', (request, reply) => reply.serveImage(images.mount))
 */
export async function openImages (options: ImagesOfSource): Promise<OpenImages> {
  const { prefix, source, images, cache, work, overlaySources = {}, base, log = { warn () {} } } = options
  const names = Object.keys(overlaySources)
  const { config } = await resolveConfig({
    ...(work === undefined ? {} : { images: work }),
    // Stands for the sources, which are open already.
    sources: Object.fromEntries(['source', ...names].map(name => [name, { driver: 'file', root: base }])),
    mounts: [{ prefix: '/', source: 'source', ...(images === undefined ? {} : { images }), ...(cache === undefined ? {} : { cache }) }]
  }, { base })
  const opened = imagesOf(config, {
    of: () => source,
    plain: () => source,
    writing: () => source.writing,
    named: name => overlaySources[name] ?? source,
    doubt () {},
    async close () {
      await Promise.all([source, ...Object.values(overlaySources)].map(async each => await each.close()))
    }
  }, log)
  const mounted = opened.at(config.mounts[0] as MountConfig, prefix)
  if (mounted.images === undefined) throw new TypeError('Expected images.mode to be other than off')
  return { mount: { ...mounted, prefix, source }, purge: async tag => await opened.purge(tag), close: async () => await opened.close() }
}
