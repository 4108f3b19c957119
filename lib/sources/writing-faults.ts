import { MediaError } from '../errors.ts'
import { fileFault } from './file-faults.ts'

const inTheWay = new Set(['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY', 'ELOOP', 'EBUSY', 'ETXTBSY'])
const unnameable = new Set(['ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'ERR_INVALID_ARG_VALUE'])
const away = new Set(['ENOENT', 'ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'ETIMEDOUT'])

/** What was looked at is something else by now: it is looked at anew. Never leaves the source. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile'
}

/** The code of a file system's error; undefined for any other error. */
export function errnoOf (error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof MediaError) return undefined
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : undefined
}

/**
 * An error of writing as a failure of ours; what is no error of the file system is given back as it is.
 *
 * @param path the path of the machine; it stays in the failure's `context`
 */
export async function writingFault (error: unknown, path: string): Promise<unknown> {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  if (inTheWay.has(errno)) return new MediaError('conflict', { detail: 'Something else is where this file, or a directory for it, would have to be', cause: error })
  if (unnameable.has(errno)) return new MediaError('bad-name', { detail: 'The file system takes no such name', cause: error })
  if (away.has(errno)) return new MediaError('unavailable', { cause: error, context: { errno, path } })
  // Files come whole by a rename: what another file system holds below the root cannot be written.
  if (errno === 'EXDEV') return new MediaError('forbidden', { detail: 'The server may not write this file', cause: error, context: { fault: 'other-file-system', path } })
  const fault = await fileFault(error, path)
  if (fault.code !== 'forbidden') return fault
  return new MediaError('forbidden', { detail: 'The server may not write this file', cause: error, ...(fault.context === undefined ? {} : { context: fault.context }) })
}
