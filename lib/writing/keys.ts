import { MediaError } from '../errors.ts'
import { IPX_SEGMENT } from '../image/places.ts'
import type { Key } from '../paths/request-path.ts'
import type { Found } from '../sources/found.ts'
import type { Condition } from '../sources/writing.ts'
import { normalKey } from './names.ts'

/** By which key a file is counted, however it was asked for. */
export function countedAs (key: Key, found: Found | undefined): Key {
  return found?.kind === 'file' && found.canonical !== undefined ? found.canonical as Key : key
}

/** The key under which a file is written that a client named. @throws {MediaError} `bad-name` */
export function writtenKey (key: Key): Key {
  return unreserved(normalKey(key))
}

/** What begins so is read as a variant of another file. @throws {MediaError} `bad-name` */
export function unreserved (key: Key): Key {
  if (key === IPX_SEGMENT || key.startsWith(`${IPX_SEGMENT}/`)) throw new MediaError('bad-name', { detail: `Nothing is written below ${IPX_SEGMENT}: URLs of variants begin so` })
  return key
}

/** Where names are kept, there has to be one. */
export function nameless (): MediaError {
  return new MediaError('bad-name', { detail: 'A file that is uploaded here needs a name' })
}

/** Nothing may have the key yet. */
export function unlessThere (condition: Condition | undefined): Condition {
  return current => {
    condition?.(current)
    if (current !== undefined) throw new MediaError('conflict', { detail: 'A file of this name is there' })
  }
}
