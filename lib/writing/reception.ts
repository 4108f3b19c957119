import { createHash } from 'node:crypto'
import type { WritingConfig } from '../config/writing-schema.ts'
import { essence, OCTET_STREAM, typeOf } from '../http/media-type.ts'
import { childKey, type Key } from '../paths/request-path.ts'
import { lastSegment } from '../paths/last-segment.ts'
import type { Draft, Incoming, Writable } from '../sources/writing.ts'
import { Allowance } from './allowance.ts'
import { checkType, extensionOf, SNIFF_BYTES } from './file-type.ts'
import { looksAt } from './image-policy.ts'
import { IncomingBytes } from './incoming.ts'
import type { NewFile } from './mount-writer.ts'
import { generatedName } from './names.ts'
import { principalName, type Quotas, type Reservation } from './parts.ts'
import type { UploadSlots } from './slots.ts'
import { Spooled } from './spool.ts'

/** What files are received by. */
export interface ReceptionParts {
  /** The prefix of the mount, as the configuration has it. */
  readonly mount: string
  readonly rules: WritingConfig
  readonly writable: Writable
  readonly quotas: Quotas
  readonly slots: UploadSlots
  /** Milliseconds. */
  readonly limits: { readonly stallMs: number, readonly timeoutMs: number }
  /** Where files lie that have to be known whole before they are kept. */
  readonly spoolDirectory: string
  /** What is kept in place of a picture; undefined where it is kept as it came. @throws {MediaError} where it is refused */
  readonly policy: (picture: { readonly path: string, readonly type: string, readonly rules: WritingConfig['images'] }) => Promise<Buffer | undefined>
}

/** Where a file goes: to the key that its client chose, or into a directory, under a name that is made. */
export type Target = Key | { readonly directory: Key, readonly name: string | undefined }

/** A file that came whole, and is good. */
export interface Received {
  readonly key: Key
  readonly draft: Draft
  readonly reservation: Reservation
  readonly size: number
  readonly isAsSent: boolean
  /** In hexadecimal, where it was needed. */
  readonly sha256: string | undefined
}

/** One file on its way in: sniffed by its first bytes, checked while the rest comes, written aside. */
export class Reception {
  readonly #parts: ReceptionParts
  readonly #file: NewFile
  readonly #target: Target
  /** What came before it is known what it is. */
  #head: Buffer[] = []
  #headBytes = 0
  #type: string | undefined
  #bytes = 0
  #draft: Draft | undefined
  #spooled: Spooled | undefined
  #reservation: Reservation | undefined
  #allowance: Allowance | undefined
  #key: Key | undefined

  constructor (parts: ReceptionParts, file: NewFile, target: Target) {
    this.#parts = parts
    this.#file = file
    this.#target = target
  }

  /** @throws {MediaError} as `MountWriter.put`: then nothing is left of it */
  async receive (): Promise<Received> {
    const { slots, limits, rules: { maxBytes } } = this.#parts
    const { body, size, digests, hasPlace = false } = this.#file
    const leave = hasPlace ? () => undefined : slots.take()
    try {
      await new IncomingBytes(body, { ...limits, maxBytes, size }).each(chunk => {
        digests?.update(chunk)
        return this.#take(chunk)
      })
      if (this.#type === undefined) await this.#recognise(true)
      digests?.verify()
      return await (this.#spooled === undefined ? this.#straight() : this.#reworked(this.#spooled))
    } catch (error) {
      await this.#draft?.discard()
      await this.#reservation?.release()
      throw error
    } finally {
      leave()
      await this.#spooled?.discard()
    }
  }

  #take (chunk: Buffer): Promise<void> | undefined {
    if (this.#type !== undefined) return this.#keep(chunk)
    this.#head.push(chunk)
    this.#headBytes += chunk.length
    return this.#headBytes < SNIFF_BYTES ? undefined : this.#recognise(false)
  }

  /** Now it is known what it is: where it goes follows from that. */
  async #recognise (isWhole: boolean): Promise<void> {
    const { rules } = this.#parts
    const head = this.#head.length === 1 ? this.#head[0] as Buffer : Buffer.concat(this.#head)
    const type = await checkType(head, { name: this.#name, declaredType: this.#file.declaredType, isWhole, types: rules.types })
    this.#type = type
    if (rules.names !== 'hash' || typeof this.#target === 'string') this.#key = this.#keyFor(type)
    if (this.#key === undefined || looksAt(type, rules.images)) this.#spooled = await Spooled.open(this.#parts.spoolDirectory)
    await this.#reserve(this.#key, this.#file.size ?? this.#headBytes)
    if (this.#spooled === undefined) this.#draft = await this.#begin(this.#file.size)
    const chunks = this.#head
    this.#head = []
    for (const chunk of chunks) await this.#keep(chunk)
  }

  /** A name that is not kept counts for as much as it tells: browsers call what has none `blob`. */
  get #name (): string | undefined {
    if (typeof this.#target === 'string') return lastSegment(this.#target)
    const { name } = this.#target
    return name === undefined || essence(typeOf(name)) === OCTET_STREAM ? undefined : name
  }

  /** @param sha256 of all of it, where its name is that */
  #keyFor (type: string, sha256?: string): Key {
    if (typeof this.#target === 'string') return this.#target
    const { names } = this.#parts.rules
    const name = generatedName(names as Exclude<typeof names, 'kept'>, { extension: extensionOf(type, this.#target.name), sha256, now: new Date() })
    return name.split('/').reduce(childKey, this.#target.directory)
  }

  async #reserve (key: Key | undefined, bytes: number): Promise<void> {
    const { quotas, mount } = this.#parts
    this.#reservation = await quotas.reserve({ mount, key, bytes, principal: principalName(this.#file.principal) })
    this.#allowance = new Allowance(this.#reservation, bytes)
  }

  async #begin (size: number | undefined): Promise<Draft> {
    return await this.#parts.writable.begin(this.#key as Key, { size, type: this.#type })
  }

  async #keep (chunk: Buffer): Promise<void> {
    this.#bytes += chunk.length
    await this.#allowance?.reach(this.#bytes)
    await (this.#draft ?? this.#spooled)?.write(chunk)
  }

  async #straight (): Promise<Received> {
    return this.#received(this.#bytes, { isAsSent: true, sha256: this.#file.digests?.sha256 })
  }

  /** It had to be known whole: what is kept may be something else than what came. */
  async #reworked (spooled: Spooled): Promise<Received> {
    const { rules, policy } = this.#parts
    const type = this.#type as string
    const instead = looksAt(type, rules.images) ? await policy({ path: spooled.path, type, rules: rules.images }) : undefined
    const content = (): Incoming => instead === undefined ? spooled.read() : chunksOf(instead)
    const size = instead?.length ?? spooled.bytes
    const sha256 = rules.names === 'hash' ? await hashOf(content()) : undefined
    this.#key ??= this.#keyFor(type, sha256)
    await this.#allowance?.reach(size)
    this.#draft = await this.#begin(size)
    for await (const chunk of content()) await this.#draft.write(chunk as Buffer)
    return this.#received(size, { isAsSent: instead === undefined, sha256 })
  }

  #received (size: number, facts: Pick<Received, 'isAsSent' | 'sha256'>): Received {
    return { key: this.#key as Key, draft: this.#draft as Draft, reservation: this.#reservation as Reservation, size, ...facts }
  }
}

async function * chunksOf (bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

async function hashOf (content: Incoming): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of content) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
