import { join } from 'node:path'
import type { AccessLog } from '../access/access.ts'
import type { Config, MountConfig } from '../config/schema.ts'
import { openEvents, type Events } from '../events/open.ts'
import { originMatchers } from '../http/origin.ts'
import type { Images } from '../image/registry.ts'
import { RedisLink } from '../cache/redis-link.ts'
import type { Key } from '../paths/request-path.ts'
import type { Sources } from '../sources/registry.ts'
import { filesOf } from '../sources/walk.ts'
import type { Writable } from '../sources/writing.ts'
import { happened } from './happened.ts'
import { MakeAhead } from './make-ahead.ts'
import type { Invalidation } from './parts.ts'
import type { Patience } from './patience.ts'
import { openQuotas } from './quotas.ts'
import { ResumableUploads } from './resumable/resumable-uploads.ts'
import { UploadSlots } from './slots.ts'
import { Spooled } from './spool.ts'
import { isWritable } from './writable-mounts.ts'
import { Writer } from './writer.ts'

/** Files of a source that one URL prefix lets clients write. */
export interface WritableParts {
  /** The whole prefix in the URL, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly writer: Writer
  readonly resumable: ResumableUploads
  /** Bytes of the largest file. */
  readonly maxBytes: number
  /** The most files of one form. */
  readonly maxFiles: number
  readonly slots: UploadSlots
  readonly patience: Patience
  /** Origins whose pages may send forms, as `originMatchers` compiles them. */
  readonly origins: ReadonlyArray<string | RegExp>
}

/** Everything that the mounts share whose files can be written. */
export interface Writing {
  readonly events: Events
  /** @param prefix as clients see it */
  at (mount: MountConfig, prefix: string): WritableParts | undefined
  close (): Promise<void>
}

/** What stands around it. */
export interface WritingSurroundings {
  readonly sources: Sources
  readonly images: Images
  readonly log: AccessLog
  /** The prefix of the app within its host. */
  readonly root: string
}

/** How often what was left behind is looked for, as a share of the time after which it is removed. */
const SWEEPS_PER_EXPIRY = 4

/** The longest between two looks, in milliseconds. */
const MAX_SWEEP_MS = 3_600_000

/** Opens what writing needs; undefined where nobody may write. @throws where the directory cannot be used */
export async function openWriting (config: Readonly<Config>, surroundings: WritingSurroundings): Promise<Writing | undefined> {
  const { sources, images, log, root } = surroundings
  const mounts = config.mounts.filter(isWritable)
  if (mounts.length === 0) return undefined
  await images.ready() // what other instances purge has to be heard of before it is asked for
  const { directory, expiryMs, stallMs, timeoutMs } = config.uploads
  const redis = config.uploads.redis === undefined ? undefined : await RedisLink.open({ url: config.uploads.redis, onFault: error => log.warn({ err: error }, 'The Redis server of uploads failed') })
  const mountOf = new Map(mounts.map(mount => [mount.prefix, mount]))
  const quotas = await openQuotas({ directory: join(directory, 'quotas'), mounts: mounts.map(({ prefix, writing }) => ({ prefix, quotas: writing.quotas })), redis, walk: prefix => filesWithSizes(sources, mountOf.get(prefix) as MountConfig, log), log })
  const slots = new UploadSlots(config.uploads.maxConcurrent)
  const resumable = await ResumableUploads.open({ directory: join(directory, 'resumable'), expiryMs, stallMs, timeoutMs, redis, slots, log })
  const events = await openEvents(config, { log, resolve: async event => await happened(event, { sources, mount: mountOf.get(event.mount), root }) })
  const stores = new Set(mounts.flatMap(mount => sources.writing(mount) ?? []))
  const spoolDirectory = join(directory, 'spool')
  const sweep = (): void => {
    for (const store of stores) void store.sweep(expiryMs)
    void Spooled.sweep(spoolDirectory, expiryMs)
  }
  sweep()
  const timer = setInterval(sweep, Math.min(expiryMs / SWEEPS_PER_EXPIRY, MAX_SWEEP_MS)).unref()
  const parts = new Map<MountConfig, WritableParts>()
  const makers: MakeAhead[] = []
  const opened = (mount: MountConfig, prefix: string, writable: Writable): WritableParts => {
    const { writing: rules } = mount
    const source = sources.plain(mount)
    const { images: variants } = images.at(mount, prefix, root)
    if (variants !== undefined && rules.makeAhead.length > 0) {
      const maker = new MakeAhead({ prefix, images: variants, source, presets: rules.makeAhead, log })
      events.on(event => { if (event.mount === mount.prefix) maker.note(event) })
      makers.push(maker)
    }
    const writer = new Writer({ mount: mount.prefix, place: prefix, rules, source, writable, quotas, events, invalidation: invalidationOf(surroundings), slots, limits: { stallMs, timeoutMs }, spoolDirectory, policy: async picture => await images.keepable(picture) })
    return { prefix, writer, resumable, maxBytes: rules.maxBytes, maxFiles: rules.maxFiles, slots, patience: { stallMs, timeoutMs }, origins: originMatchers(mount.cors?.origins ?? []) }
  }
  return {
    events,
    at (mount, prefix) {
      const writable = isWritable(mount) ? sources.writing(mount) : undefined
      if (writable === undefined) return undefined
      const known = parts.get(mount) ?? opened(mount, prefix, writable)
      parts.set(mount, known)
      return known
    },
    async close () {
      clearInterval(timer)
      await Promise.all(makers.map(async maker => await maker.close()))
      await resumable.close()
      await events.close()
      await quotas.close()
      await redis?.close()
    }
  }
}

/** What is kept in memory is looked at anew at once, here and elsewhere: variants of what was there before are asked for by nobody then, and go when room is needed. */
function invalidationOf ({ sources, images, log }: WritingSurroundings): Invalidation {
  return {
    async forget (paths) {
      sources.doubt()
      if (paths.length === 0) return
      try {
        const { behind } = await images.written()
        if (behind.length > 0) log.warn({ behind, paths }, 'Instances have not taken note of a file that was written')
      } catch (error) {
        log.warn({ err: error, paths }, 'Other instances could not be told of a file that was written')
      }
    }
  }
}

/** What a mount holds already. */
async function * filesWithSizes (sources: Sources, mount: MountConfig, log: AccessLog): AsyncGenerator<{ key: Key, bytes: number }> {
  const source = sources.plain(mount)
  for await (const key of filesOf(source, (directory, error) => log.warn({ err: error, directory }, 'A directory could not be counted'))) {
    const found = await source.stat(key)
    if (found?.kind === 'file') yield { key, bytes: found.representation.size ?? 0 }
  }
}
