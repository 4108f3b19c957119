import { availableParallelism } from 'node:os'
import type { StoreOptions } from '../cache/open-store.ts'
import type { PurgeOutcome, Purges } from '../cache/purges.ts'
import type { Config, MountConfig } from '../config/schema.ts'
import { WRITTEN } from '../cache/purge-tags.ts'
import { MediaError } from '../errors.ts'
import { cacheControl } from '../http/cache-control.ts'
import { childKey, rootKey, type Key } from '../paths/request-path.ts'
import type { Sources } from '../sources/registry.ts'
import type { S3Source } from '../sources/s3.ts'
import type { FoundFile } from '../sources/source.ts'
import { readPreset } from '../transform/presets.ts'
import type { ComingPicture } from '../writing/image-policy.ts'
import type { Deriver } from './deriver.ts'
import { MountImages, type ImagePolicy } from './mount-images.ts'
import type { ReadingOptions } from './reading.ts'
import type { WorkerEvent } from './workers/worker-options.ts'

/** What a mount needs to make variants. */
export interface MountedImages {
  readonly images: MountImages
  readonly provisionalCache: string
  readonly clientHints: boolean
  readonly fallbackImage: Key | undefined
}

/** The variants of a configuration: workers, queue and cache, shared by all mounts. */
export interface Images {
  /**
   * A mount's variants, or nothing where it makes none.
   *
   * @param prefix as clients see it
   * @param root that of the app, below its host
   */
  at (mount: MountConfig, prefix: string, root?: string): MountedImages | { readonly images: undefined }
  /** Opens the variant cache now rather than with the first variant: purges of other instances are heard of from then on. */
  ready (): Promise<void>
  /**
   * Forgets variants: once it settles nothing older is served.
   *
   * @param tag as `Purges.purge` takes it
   */
  purge (tag: string): Promise<PurgeOutcome>
  /**
   * What is kept in place of a picture that was uploaded; undefined where it is kept as it came.
   *
   * @throws {MediaError} as `applyImagePolicy`
   */
  keepable (picture: ComingPicture): Promise<Buffer | undefined>
  /** Files were written: once it settles every instance looks at files anew. @throws {MediaError} `unavailable` where other instances could not be told */
  written (): Promise<PurgeOutcome>
  /** Settles when what was made is kept; closes workers, stores and, at last, the sources. */
  close (): Promise<void>
}

/** Told what happens out of sight. */
export interface ImageLog {
  warn (facts: object, message: string): void
}

/** How long an answer is kept that a better one follows soon, in seconds. */
const PROVISIONAL_SECONDS = 60

/** Nothing is started or written before the first variant is asked for. */
export function imagesOf (config: Readonly<Config>, sources: Sources, log: ImageLog): Images {
  let opening: ReturnType<typeof openParts> | undefined
  const open = async (): ReturnType<typeof openParts> => await (opening ??= openParts(config.images, { log, sources }))
  return {
    at (mount, prefix, root = '') {
      if (mount.images.mode === 'off') return { images: undefined }
      const overlay = overlaysOf(mount, sources)
      const within = mount.prefix === '/' ? '' : mount.prefix
      const others = config.mounts.filter(other => other !== mount && other.prefix.startsWith(`${within}/`) && other.prefix !== '/').map(other => root + other.prefix)
      return {
        images: new MountImages(prefix, policyOf(mount, { root, others, keyOf: sources.of(mount).keyOf }), async () => ({ ...await open(), overlay })),
        provisionalCache: provisionalOf(mount),
        clientHints: mount.images.clientHints,
        fallbackImage: mount.images.fallback === undefined ? undefined : childKey(rootKey, mount.images.fallback)
      }
    },
    async ready () {
      await open()
    },
    async purge (tag) {
      return await (await open()).purges.purge(tag)
    },
    async written () {
      return await (await open()).purges.purge(WRITTEN)
    },
    async keepable (picture) {
      return await (await open()).keepable(picture)
    },
    async close () {
      try {
        if (opening !== undefined) await (await opening).close()
      } finally {
        await sources.close()
      }
    }
  }
}

async function openParts (work: Config['images'], { log, sources }: { log: ImageLog, sources: Sources }): Promise<{ deriver: Deriver, purges: Purges, keepable: Images['keepable'], close: () => Promise<void> }> {
  // Loaded now: who serves plain files needs none of it.
  const [{ openStore }, { Deriver }, { WorkQueue }, { WorkerPool }, { applyImagePolicy }] = await Promise.all([import('../cache/open-store.ts'), import('./deriver.ts'), import('./work-queue.ts'), import('./workers/worker-pool.ts'), import('../writing/image-policy.ts')])
  const concurrency = work.workers === 0 ? availableParallelism() : work.workers
  const { store, purges } = await openStore({ ...work.cache, s3: bucketOf(work.cache, sources) }, fault => log.warn({ err: fault }, 'The variant cache failed'))
  purges.onPurge(() => sources.doubt()) // what is made anew is made of what is there now
  const pool = new WorkerPool({ workers: concurrency, deadlineMs: work.deadlineMs, workerBytes: work.workerBytes, totalBytes: work.totalBytes, idleMs: work.idleMs, onEvent: event => tell(event, log) })
  const queue = new WorkQueue({ concurrency, maxWaiting: work.maxWaiting, maxWaitMs: work.maxWaitMs, pixels: work.pixelsInFlight })
  const deriver = new Deriver({ workers: pool, queue, store, purges, hostileMs: work.hostileMs, workerBytes: work.workerBytes })
  return {
    deriver,
    purges,
    keepable: async picture => await applyImagePolicy(picture, { workers: pool, queue, workerBytes: work.workerBytes }),
    async close () {
      await pool.close()
      await deriver.settled()
      await purges.close()
      await store.close()
    }
  }
}

/** The bucket that a source names: the configuration was checked for that. */
function bucketOf ({ s3 }: Config['images']['cache'], sources: Sources): StoreOptions['s3'] {
  return s3 === undefined ? undefined : { ...s3, client: (sources.named(s3.source) as S3Source).client }
}

function policyOf ({ images }: MountConfig, place: Pick<ReadingOptions, 'root' | 'others' | 'keyOf'>): ImagePolicy {
  const { limits, unknownParameters, ignoredParameters, grammars, mode, widths, qualities, formats, upgrade, clientHints, info, gps, inputs } = images
  return {
    reading: { ...place, grammars, unknown: unknownParameters, ignored: ignoredParameters },
    transforms: {
      mode: mode as Exclude<typeof mode, 'off'>,
      widths: widths.toSorted((a, b) => a - b),
      qualities: qualities.toSorted((a, b) => a - b),
      presets: Object.fromEntries(Object.entries(images.presets).map(([name, query]) => [name, readPreset(query)])),
      overlays: new Set(Object.keys(images.overlays)),
      maxOperations: limits.operations,
      maxDimension: limits.dimension,
      maxOutputPixels: limits.outputPixels
    },
    limits: { inputBytes: limits.inputBytes, deadlineMs: limits.deadlineMs, inputPixels: limits.inputPixels, outputPixels: limits.outputPixels, framePixels: limits.framePixels, dimension: limits.dimension, inputs },
    formats,
    upgrade,
    clientHints,
    info,
    gps
  }
}

/** The overlays of a mount, found anew each time: they may change like any file. */
function overlaysOf ({ images }: MountConfig, sources: Sources): (name: string) => Promise<FoundFile> {
  return async name => {
    const overlay = images.overlays[name]
    const found = overlay === undefined ? undefined : await sources.named(overlay.source).stat(childKey(rootKey, overlay.file))
    if (found?.kind !== 'file') throw new MediaError('bad-transform', { detail: `There is no overlay of the name ${name}` })
    return found
  }
}

/** What is kept long otherwise is kept shortly; what is not kept stays so. */
function provisionalOf ({ cache }: MountConfig): string {
  const rule = cacheControl(cache.types['image/webp'] ?? cache.types['image/*'] ?? cache.types['*/*'] ?? cache.default)
  return rule.replace(/max-age=\d+/g, `max-age=${PROVISIONAL_SECONDS}`).replace(/,? ?\bimmutable\b/, '')
}

function tell (event: WorkerEvent, log: ImageLog): void {
  const { kind, ...facts } = event
  if (kind === 'started' || kind === 'ended') return
  log.warn(facts, kind === 'killed' ? 'An image worker was ended' : kind === 'crashed' ? 'An image worker crashed' : 'An image worker did not start')
}
