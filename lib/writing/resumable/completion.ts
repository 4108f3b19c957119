import { MediaError, type FailureCode } from '../../errors.ts'
import type { UploadLocks } from './locks.ts'
import type { ResumablePlace } from './place.ts'
import type { Staging } from './staging.ts'

/** What is wrong with the file itself, or with what the client wants of it: asking again would not help. */
const refusals: ReadonlySet<FailureCode> = new Set<FailureCode>(['bad-request', 'bad-name', 'bad-digest', 'body-too-large', 'unsupported-media-type', 'unsupported-image', 'broken-image', 'image-too-large', 'image-too-costly', 'conflict', 'precondition-failed'])

/** What an upload is made a file by. */
export interface CompletionParts {
  readonly staging: Staging
  readonly locks: UploadLocks
}

/**
 * Makes an upload that is whole a file of its mount. It may be asked any number of times; who asks later hears what
 * became of it. Where the process ends between the file and the note of it, the next to ask writes the file again,
 * by the rules of the mount: `conflict` where a file may not be replaced.
 *
 * @returns the URL of the file; undefined where the upload is not whole
 * @throws {MediaError} as `MountWriter.add`. Where the file is refused the upload is gone; else it can be tried again
 */
export async function completeUpload (id: string, { directory, principal, writer, pathUrl }: ResumablePlace, { staging, locks }: CompletionParts): Promise<string | undefined> {
  await locks.take(id, () => undefined) // what is being kept cannot be let go of
  try {
    const { offset, size, metadata } = await staging.getUpload(id)
    const finished = (await staging.records.read(id))?.finished
    if (finished !== undefined) return pathUrl(finished.path)
    if (offset !== size) return undefined
    const body = await staging.readAll(id)
    try {
      const stored = await writer.add(directory, metadata?.['filename'] ?? metadata?.['name'] ?? undefined, { body, size, declaredType: (metadata?.['filetype'] ?? metadata?.['type']) || undefined, principal })
      // The file is there: that this cannot be noted down is no reason to tell the client otherwise.
      await staging.finish(id, stored.path).catch(() => undefined)
      return pathUrl(stored.path)
    } catch (error) {
      if (error instanceof MediaError && refusals.has(error.code)) await staging.discard(id)
      throw refused(error)
    } finally {
      body.destroy()
    }
  } finally {
    await locks.give(id)
  }
}

/** 409 tells a client of the protocol that its offset is wrong, and it would begin anew. */
function refused (error: unknown): unknown {
  if (!(error instanceof MediaError) || error.code !== 'conflict') return error
  return new MediaError('conflict', { status: 422, cause: error, ...(error.detail === undefined ? {} : { detail: error.detail }) })
}
