import { randomBytes } from 'node:crypto'
import { MediaError } from '../errors.ts'
import { codingOf, typeOf } from '../http/media-type.ts'
import type { Key } from '../paths/request-path.ts'
import { MemoryDraft } from './memory-draft.ts'
import { Room } from './room.ts'
import type { Entry, FoundFile, Found, Source } from './source.ts'
import type { Condition, Draft, Writable, Written } from './writing.ts'

/** How much the `memory` driver keeps. */
export interface MemorySourceOptions {
  /** Bytes of all files and drafts together: whoever may write pushes against it. */
  maxBytes: number
}

type Folder = Map<string, Folder | FoundFile>

const directory: Found = Object.freeze({ kind: 'directory' })

/**
 * Files in memory as a source: for tests, and for what need not outlive the process. It hides
 * dotfiles, and is a {@link Writable}: that is how files come to be in it.
 *
 * @throws nothing; a write beyond `maxBytes` is refused with `insufficient-storage`
 */
export function memorySource (options: MemorySourceOptions): Source & { readonly writing: Writable } {
  const files = new MemoryFiles(options.maxBytes)
  return {
    stat (key) {
      const found = files.at(key)
      return found instanceof Map ? directory : found
    },

    async list (key, limit) {
      const folder = files.at(key)
      if (!(folder instanceof Map)) return undefined
      const entries = [...folder].toSorted(([a], [b]) => a < b ? -1 : 1).slice(0, limit).map(([name, member]) => entryOf(name, member))
      return { entries, truncated: folder.size > limit }
    },

    writing: files,

    async close () {}
  }
}

function entryOf (name: string, member: Folder | FoundFile): Entry {
  if (member instanceof Map) return { name, kind: 'directory' }
  const { size, lastModified } = member.representation
  return { name, kind: 'file', ...(size === undefined ? {} : { size }), ...(lastModified === undefined ? {} : { lastModified }) }
}

class MemoryFiles implements Writable {
  readonly #root: Folder = new Map()
  readonly #room: Room
  /** Two sources never give one tag to two contents. */
  readonly #id = randomBytes(6).toString('base64url')
  #writes = 0

  constructor (maxBytes: number) {
    this.#room = new Room(maxBytes)
  }

  at (key: Key): Folder | FoundFile | undefined {
    let found: Folder | FoundFile | undefined = this.#root
    for (const name of segmentsOf(key)) {
      found = found instanceof Map ? found.get(name) : undefined
      if (found === undefined) return undefined
    }
    return found
  }

  async begin (key: Key): Promise<Draft> {
    refuseHidden(key)
    this.#fileAt(key)
    return new MemoryDraft(this.#room, (chunks, condition) => {
      const current = this.#fileAt(key)
      condition?.(current)
      return this.#place(key, Buffer.concat(chunks), current)
    })
  }

  async remove (key: Key, condition?: Condition): Promise<FoundFile | undefined> {
    refuseHidden(key)
    const current = this.at(key)
    if (current instanceof Map) throw conflict('A directory has this name')
    condition?.(current)
    if (current !== undefined) {
      this.#drop(key)
      this.#room.give(sizeOf(current))
    }
    return current
  }

  async move (from: Key, to: Key, conditions: { readonly from?: Condition | undefined, readonly to?: Condition | undefined } = {}): Promise<Written> {
    refuseHidden(from)
    refuseHidden(to)
    const moved = this.at(from)
    if (moved instanceof Map) throw conflict('A directory has this name')
    conditions.from?.(moved)
    if (moved === undefined) throw new MediaError('not-found')
    if (from === to) throw conflict('The file has this name already')
    const replaced = this.#fileAt(to)
    conditions.to?.(replaced)
    const written = this.#place(to, moved.representation.bytes as Buffer, replaced)
    this.#drop(from)
    return written
  }

  async sweep (): Promise<number> {
    return 0 // what a draft took is given back with the draft, or with the process
  }

  /** What a key names that is to be written. @throws {MediaError} `conflict` */
  #fileAt (key: Key): FoundFile | undefined {
    const found = this.at(key)
    if (found instanceof Map) throw conflict('A directory has this name')
    for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) {
      const above = this.at(key.slice(0, end) as Key)
      if (above !== undefined && !(above instanceof Map)) throw conflict('A file is where a directory would have to be')
    }
    return found
  }

  /** Its bytes were counted by who brings them. */
  #place (key: Key, bytes: Buffer, replaced: FoundFile | undefined): Written {
    const segments = segmentsOf(key)
    const name = segments.pop() as string
    let folder = this.#root
    for (const segment of segments) {
      const next = folder.get(segment) ?? new Map() as Folder
      folder.set(segment, next)
      folder = next as Folder
    }
    const found = this.#described(key, bytes)
    folder.set(name, found)
    if (replaced !== undefined) this.#room.give(sizeOf(replaced))
    return { found, replaced }
  }

  /** A name, and the directories that it was the last in. */
  #drop (key: Key): void {
    const segments = segmentsOf(key)
    for (let name = segments.pop(); name !== undefined; name = segments.pop()) {
      const folder = this.at(segments.join('/') as Key) as Folder
      folder.delete(name)
      if (folder.size > 0) break
    }
  }

  #described (key: Key, bytes: Buffer): FoundFile {
    const revision = `${this.#id}-${(++this.#writes).toString(36)}`
    const now = Date.now()
    const coding = codingOf(key)
    return {
      kind: 'file',
      representation: {
        type: typeOf(key),
        size: bytes.length,
        entityTag: `"${revision}"`,
        lastModified: now,
        ...(coding === undefined ? {} : { encoding: coding }),
        bytes,
        open: range => range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)
      },
      revision,
      changed: now
    }
  }
}

function segmentsOf (key: Key): string[] {
  return key === '' ? [] : key.split('/')
}

function sizeOf ({ representation }: FoundFile): number {
  return representation.size as number
}

function refuseHidden (key: Key): void {
  if (segmentsOf(key).some(name => name.startsWith('.'))) throw new MediaError('forbidden', { detail: 'No file may be written here' })
}

function conflict (detail: string): MediaError {
  return new MediaError('conflict', { detail })
}
