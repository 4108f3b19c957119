import { MediaError } from '../../errors.ts'
import { lastSegment } from '../../paths/last-segment.ts'
import type { Key } from '../../paths/request-path.ts'
import { isName, MAX_NAME_BYTES } from './address.ts'

/** What keys are named in a bucket: below one beginning, out of which none leads. */
export class ObjectNames {
  /** What begins the names of all objects that are seen: ends in a slash, where it is not empty. */
  readonly prefix: string

  constructor (prefix: string) {
    this.prefix = prefix
  }

  /** The object of a key; undefined for one that is hidden, and one that no object can have. */
  object (key: Key): string | undefined {
    const name = this.prefix + key
    return key === '' || isHidden(key) || !isPlain(key) || !isName(name) ? undefined : name
  }

  /** What begins the names of all below a directory; undefined where none can be there. */
  below (key: Key): string | undefined {
    if (key === '') return this.prefix
    const name = this.object(key)
    return name === undefined || Buffer.byteLength(name) >= MAX_NAME_BYTES ? undefined : `${name}/`
  }

  /** The object that a file is written as. @throws {MediaError} `forbidden`, `conflict` for the root, `bad-name` */
  writable (key: Key): string {
    if (key === '') throw new MediaError('conflict', { detail: 'A directory has this name' })
    if (isHidden(key)) throw new MediaError('forbidden', { detail: 'Names with a leading dot are hidden here' })
    const name = this.object(key)
    if (name === undefined) throw new MediaError('bad-name', { detail: `No object of a store is named so: with all that is in front of it a name has at most ${MAX_NAME_BYTES} bytes` })
    return name
  }
}

/** Names with a leading dot are hidden, and so is all that is below them. */
export function isHidden (key: string): boolean {
  return key.startsWith('.') || key.includes('/.')
}

/** Whether each segment is a name. */
function isPlain (key: Key): boolean {
  return !key.startsWith('/') && lastSegment(key) !== '' && !key.includes('//')
}
