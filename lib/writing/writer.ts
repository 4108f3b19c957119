import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer as whole } from 'node:stream/consumers'
import type { Principal } from '../access/access.ts'
import { MediaError } from '../errors.ts'
import { typeOf } from '../http/media-type.ts'
import { lastSegment } from '../paths/last-segment.ts'
import { childKey, type Key } from '../paths/request-path.ts'
import type { Body } from '../representation.ts'
import type { Source } from '../sources/source.ts'
import type { Condition, Written } from '../sources/writing.ts'
import type { WritingConfig } from '../config/writing-schema.ts'
import { checkType, SNIFF_BYTES } from './file-type.ts'
import { factsOfWritten, happening } from './happening.ts'
import { looksAt } from './image-policy.ts'
import { countedAs, nameless, unlessThere, unreserved, writtenKey } from './keys.ts'
import type { MountWriter, NewFile, StoredFile } from './mount-writer.ts'
import { givenName } from './names.ts'
import { factsOf, principalName, type FileEvent, type FileEvents, type Invalidation, type PendingEvent } from './parts.ts'
import { Reception, type Received, type ReceptionParts } from './reception.ts'

/** What the files of one mount are written by. */
export interface WriterParts extends ReceptionParts {
  /** The decoded path of its URLs, without a slash at the end: `/media/photos`. */
  readonly place: string
  readonly source: Source
  readonly events: FileEvents
  readonly invalidation: Invalidation
}

/** A file that came, and was found to be good. It is nobody's yet. */
export interface ReceivedFile {
  readonly key: Key
  /** Bytes that are kept. */
  readonly size: number
  /** It may be long until it is kept: what is held open and in memory is given back. @throws {MediaError} `insufficient-storage`, `unavailable` */
  rest (): Promise<void>
  /** As {@link MountWriter.put}. */
  commit (): Promise<StoredFile>
  /** Never throws; does nothing after `commit`. */
  discard (): Promise<void>
}

/** {@link MountWriter} over a source: checked while it comes, announced, made durable, told, forgotten where it was kept. */
export class Writer implements MountWriter {
  readonly #parts: WriterParts

  constructor (parts: WriterParts) {
    this.#parts = parts
  }

  async put (key: Key, file: NewFile): Promise<StoredFile> {
    return await (await this.receive(key, file)).commit()
  }

  async add (directory: Key, name: string | undefined, file: NewFile): Promise<StoredFile> {
    return await (await this.receiveInto(directory, name, file)).commit()
  }

  /** Takes the bytes of {@link put}; what becomes of them is decided later. @throws as `put` */
  async receive (asked: Key, file: NewFile): Promise<ReceivedFile> {
    const key = writtenKey(asked)
    await this.#admit(key, file.condition)
    return this.#received(await new Reception(this.#parts, file, key).receive(), file)
  }

  /** Takes the bytes of {@link add}. @throws as `add` */
  async receiveInto (directory: Key, name: string | undefined, file: NewFile): Promise<ReceivedFile> {
    const { names, overwrite } = this.#parts.rules
    const condition = overwrite ? file.condition : unlessThere(file.condition)
    const into = directory === '' ? directory : writtenKey(directory)
    if (names === 'kept') {
      if (name === undefined) throw nameless()
      return await this.receive(childKey(into, givenName(name)), { ...file, condition })
    }
    const reception = new Reception(this.#parts, file, { directory: into, name })
    return this.#received(await reception.receive(), { ...file, condition: names === 'hash' ? file.condition : condition })
  }

  /**
   * Refuses what is certain of {@link add} before anything comes.
   *
   * @param file `waiting`: bytes that are on their way beside it, and are not counted yet
   *
   * @throws {MediaError} `bad-name`, `conflict`, `body-too-large`, `quota-exceeded`
   */
  async expect (directory: Key, name: string | undefined, { size = 0, waiting = 0, principal }: { readonly size?: number | undefined, readonly waiting?: number, readonly principal: Principal | null }): Promise<void> {
    const { rules: { names, overwrite, maxBytes }, quotas, mount } = this.#parts
    if (size > maxBytes) throw new MediaError('body-too-large', { detail: `A file may have ${maxBytes} bytes here` })
    const into = directory === '' ? directory : writtenKey(directory)
    if (names === 'kept' && name === undefined) throw nameless()
    const key = childKey(into, givenName(name ?? 'unnamed'))
    if (names === 'kept') await this.#admit(key, overwrite ? undefined : unlessThere(undefined))
    await (await quotas.reserve({ mount, key, bytes: size + waiting, principal: principalName(principal) })).release()
  }

  async remove (asked: Key, { condition, principal }: { readonly condition?: Condition | undefined, readonly principal: Principal | null }): Promise<void> {
    const { writable, quotas, mount } = this.#parts
    const key = await this.#spelled(asked)
    const pending = await this.#announce('file.deleted', key, { principal }).catch(laterIfFull)
    await happening(pending === undefined ? [] : [pending], async () => {
      const removed = await this.#certainly([key], async () => await writable.remove(key, condition))
      if (removed === undefined) throw new MediaError('not-found')
      await quotas.removed(mount, countedAs(key, removed))
      await this.#forget([key])
      return removed
    }, removed => factsOf(removed))
    // On a full disk nobody could make room otherwise. Now there is some.
    if (pending === undefined) await (await this.#announce('file.deleted', key, { principal })).confirm({})
  }

  async move (from: Key, to: Key, options: Parameters<MountWriter['move']>[2]): Promise<StoredFile> {
    const { writable, quotas, mount, rules, source } = this.#parts
    const [asked, key] = [await this.#spelled(from), writtenKey(to)]
    if (asked === key) throw new MediaError('bad-request', { detail: 'A file is moved to another path' })
    const known = await source.stat(asked)
    await this.#checkMoved(known, { asked, key }, rules)
    const { principal } = options
    const pending = await this.#announceBoth(asked, key, principal)
    const condition = rules.overwrite ? options.to : unlessThere(options.to)
    const written = await happening(pending, async () => {
      const done = await this.#certainly([asked, key], async () => await writable.move(asked, key, { from: options.from, to: condition }))
      await quotas.moved(mount, countedAs(asked, known), countedAs(key, done.found))
      await this.#forget([asked, key])
      return done
    }, factsOfWritten)
    return this.#stored(key, written, true)
  }

  /** Refuses what is certain already, before a byte is read. */
  async #admit (key: Key, condition: Condition | undefined): Promise<void> {
    const current = await this.#parts.source.stat(key)
    if (current?.kind === 'directory') throw new MediaError('conflict', { detail: 'A directory has this name' })
    condition?.(current)
  }

  #received ({ key, draft, reservation, isAsSent, size, sha256 }: Received, { condition, principal }: NewFile): ReceivedFile {
    const discard = async (): Promise<void> => {
      await draft.discard()
      await reservation.release()
    }
    return {
      key,
      size,
      discard,
      rest: async () => await draft.rest(),
      commit: async () => {
        try {
          const pending = await this.#announce('file.created', key, { principal, size, sha256 })
          const written = await happening([pending], async () => {
            const done = await this.#certainly([key], async () => await draft.commit(condition))
            await reservation.settle(size, countedAs(key, done.found))
            await this.#forget([key], done)
            return done
          }, factsOfWritten)
          return this.#stored(key, written, isAsSent)
        } catch (error) {
          await discard()
          throw error
        }
      }
    }
  }

  /** The type that it gets is that of its new name. What is done with pictures is done when they come: nothing becomes one by its name. */
  async #checkMoved (found: Awaited<ReturnType<Source['stat']>>, { asked, key }: { asked: Key, key: Key }, rules: WritingConfig): Promise<void> {
    if (found?.kind !== 'file') throw new MediaError('not-found')
    const { representation } = found
    if (typeOf(key) !== typeOf(asked) && looksAt(typeOf(key), rules.images)) throw new MediaError('unsupported-media-type', { detail: 'Upload it under this name: what is no picture by its name does not become one by another' })
    const { size = 0 } = representation
    const head = size === 0 ? Buffer.alloc(0) : await bytesOf(await representation.open({ start: 0, end: Math.min(size, SNIFF_BYTES) - 1 }))
    await checkType(head, { name: lastSegment(key), declaredType: undefined, isWhole: size <= head.length, types: rules.types })
  }

  async #announce (type: FileEvent['type'], key: Key, { principal, ...facts }: { readonly principal: Principal | null } & Partial<Omit<FileEvent, 'principal'>>): Promise<PendingEvent> {
    const { events, mount } = this.#parts
    return await events.announce({ id: randomUUID(), type, time: new Date().toISOString(), mount, path: this.#path(key), principal: principalName(principal), ...facts })
  }

  async #announceBoth (from: Key, to: Key, principal: Principal | null): Promise<PendingEvent[]> {
    const created = await this.#announce('file.created', to, { principal, from: this.#path(from) })
    try {
      return [created, await this.#announce('file.deleted', from, { principal })]
    } catch (error) {
      await created.drop()
      throw error
    }
  }

  #path (key: Key): string {
    return `${this.#parts.place}/${key}`
  }

  /** What failed in the store may have happened there all the same: whatever is kept is not believed. */
  async #certainly<T> (keys: readonly Key[], change: () => Promise<T>): Promise<T> {
    try {
      return await change()
    } catch (error) {
      if (!(error instanceof MediaError) || error.statusCode >= 500) await this.#forget(keys)
      throw error
    }
  }

  /** Of what was not there before, nobody can have kept anything. */
  async #forget (keys: readonly Key[], { replaced }: { readonly replaced?: unknown } = { replaced: true }): Promise<void> {
    await this.#parts.invalidation.forget(replaced === undefined ? [] : keys.map(key => this.#path(key)))
  }

  #stored (key: Key, { found, replaced }: Written, isAsSent: boolean): StoredFile {
    return { key, path: this.#path(key), found, isNew: replaced === undefined, isAsSent }
  }

  /** The key of what is there: as it is asked for, or as it would be written. */
  async #spelled (key: Key): Promise<Key> {
    return await this.#parts.source.stat(key) === undefined ? writtenKey(key) : unreserved(key)
  }
}

/** @returns nothing, where only room is missing */
function laterIfFull (error: unknown): undefined {
  if (!(error instanceof MediaError) || error.code !== 'insufficient-storage') throw error
}

async function bytesOf (body: Body): Promise<Buffer> {
  return body instanceof Readable ? await whole(body) : body
}
