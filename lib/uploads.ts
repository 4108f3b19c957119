import type { AccessLog } from './access/access.ts'
import { resolveConfig } from './config/resolve.ts'
import type { ConfigInput, MountConfig } from './config/schema.ts'
import type { Events } from './events/open.ts'
import { imagesOf } from './image/registry.ts'
import { withoutTrailingSlash } from './paths/prefix.ts'
import type { Sources } from './sources/registry.ts'
import type { Source } from './sources/source.ts'
import { openWriting, type WritableParts } from './writing/open.ts'

export type { WritingConfig } from './config/writing-schema.ts'
export type { EventType } from './events/event-types.ts'
export type { Events } from './events/open.ts'
export type { FileEvent } from './writing/parts.ts'
export type { MountWriter, NewFile, StoredFile } from './writing/mount-writer.ts'

/** A source that clients may write to below one prefix. */
export interface UploadsToSource {
  /** As clients see it; `/` at the root. */
  readonly prefix: string
  /** One that has `writing`. Closed by `close`. */
  readonly source: Source
  /** What may be written: `writing` of a mount. */
  readonly writing?: Omit<NonNullable<NonNullable<ConfigInput['mounts']>[number]['writing']>, 'makeAhead'>
  /** What all share: `uploads` of a configuration. */
  readonly uploads?: ConfigInput['uploads']
  /** Who is told: `events` of a configuration. */
  readonly events?: ConfigInput['events']
  /** The directory that relative paths start from. */
  readonly base: string
  readonly log?: AccessLog | undefined
}

/** What the verbs of the plugin `uploads` are called with, and what happens to files. */
export interface OpenUploads {
  readonly mount: WritableParts
  readonly events: Events
  /** Once requests have ended. */
  readonly close: () => Promise<void>
}

const silent: AccessLog = { info () {}, warn () {} }

/**
 * Files that are written to a source, for `reply.writeFile` and the other verbs of the plugin `uploads` in routes of
 * one's own; the root app does the same for its mounts. Who may call those routes is for the app to say.
 *
 * @throws {ConfigError} with every mistake in the options
 * @throws {TypeError} where the source cannot be written to
 *
 * @example
 * const { mount } = await openUploads({ prefix: '/files', source: await fileSource({ root: 'files' }), base: process.cwd() })
 * app.put('/files/*', { onRequest: [authenticate] }, (request, reply) => reply.writeFile(mount))
 */
export async function openUploads ({ prefix, source, writing = {}, uploads = {}, events = {}, base, log = silent }: UploadsToSource): Promise<OpenUploads> {
  const { writing: writable } = source
  if (writable === undefined) throw new TypeError('Expected a source whose files can be written')
  const { config } = await resolveConfig({
    uploads,
    events,
    images: { cache: { diskBytes: 0 } },
    // Stands for the source, which is open already.
    sources: { source: { driver: 'file', root: base } },
    mounts: [{ prefix, source: 'source', permission: 'read-write', access: { write: 'nobody' }, writing }]
  }, { base })
  const sources: Sources = { of: () => source, plain: () => source, writing: () => writable, named: () => source, doubt () {}, close: async () => await source.close() }
  const images = imagesOf(config, sources, log)
  const mount = config.mounts[0] as MountConfig
  const opened = await openWriting(config, { sources, images, log, root: '' })
  const parts = opened?.at(mount, withoutTrailingSlash(prefix) === '/' ? '' : withoutTrailingSlash(prefix))
  if (opened === undefined || parts === undefined) throw new TypeError('Expected a source whose files can be written')
  return {
    mount: parts,
    events: opened.events,
    async close () {
      await opened.close()
      await images.close()
    }
  }
}
