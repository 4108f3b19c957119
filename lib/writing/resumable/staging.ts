import { mkdir, open, stat, unlink, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { DataStore, ERRORS, Upload } from '@tus/server'
import { fileFault, isMissing } from '../../sources/file-faults.ts'
import { bytesOf } from '../file-bytes.ts'
import { UploadRecords, type UploadRecord } from './records.ts'
import type { Unfinished } from './unfinished.ts'

/**
 * Uploads under way, in a directory: what has come, and a record of each. The library's own file store answers a
 * full disk with 500, leaves half of a record behind, and knows nothing of uploads that are done; hence this one.
 * What comes is not flushed: after a power loss the client is told how much is there. A record is, once it tells
 * that a file was kept.
 */
export class Staging extends DataStore {
  readonly #directory: string
  readonly #expiryMs: number
  readonly #unfinished: Unfinished
  readonly records: UploadRecords
  override extensions = ['creation', 'creation-with-upload', 'creation-defer-length', 'termination', 'expiration']

  private constructor (directory: string, expiryMs: number, unfinished: Unfinished) {
    super()
    this.#directory = directory
    this.#expiryMs = expiryMs
    this.#unfinished = unfinished
    this.records = new UploadRecords(directory)
  }

  /** @throws as the file system does */
  static async open ({ directory, expiryMs, unfinished }: { directory: string, expiryMs: number, unfinished: Unfinished }): Promise<Staging> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return new Staging(directory, expiryMs, unfinished)
  }

  /** Where the bytes lie. */
  pathOf (id: string): string {
    return `${this.#directory}/${id}`
  }

  override async create (upload: Upload): Promise<Upload> {
    await this.#guarded(async () => {
      await this.records.write(upload.id, { size: upload.size, metadata: upload.metadata, created: Date.now() })
      await (await open(this.pathOf(upload.id), 'wx', 0o600)).close()
    })
    return upload
  }

  override async getUpload (id: string): Promise<Upload> {
    const record = await this.#record(id)
    const { size, metadata, finished, created } = record
    const offset = finished === undefined ? await this.#came(id) : size ?? 0
    return new Upload({ id, offset, creation_date: new Date(finished?.at ?? created).toISOString(), ...(size === undefined ? {} : { size }), ...(metadata === undefined ? {} : { metadata }) })
  }

  override async declareUploadLength (id: string, size: number): Promise<void> {
    const record = await this.#record(id)
    await this.#guarded(async () => await this.records.write(id, { ...record, size }))
    this.#unfinished.count(id, size)
  }

  /** Takes what comes, until it ends or fails: what came by then stays. @returns how much there is altogether */
  override async write (stream: Readable, id: string, offset: number): Promise<number> {
    let end = offset
    const { finished } = await this.#record(id)
    const file = finished === undefined ? await this.#guarded(async () => await open(this.pathOf(id), 'r+')) : undefined
    try {
      // Were it destroyed by what fails here, the library would tell of that instead.
      for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        if (file !== undefined) await this.#guarded(async () => await writeAll(file, chunk, end))
        end += chunk.length
      }
    } finally {
      await file?.close()
    }
    return end
  }

  /** All that came, from the start. @throws {MediaError} */
  async readAll (id: string): Promise<Readable> {
    const file = await this.#guarded(async () => await open(this.pathOf(id)))
    return Readable.from(bytesOf(file), { objectMode: false }).once('close', () => void file.close()).on('error', () => undefined) // who reads it meets it too
  }

  /** It became a file: this is remembered until it expires, for the client that did not hear of it. @throws {MediaError} */
  async finish (id: string, path: string): Promise<void> {
    const record = await this.#record(id)
    await this.#guarded(async () => await this.records.write(id, { ...record, finished: { path, at: Date.now() } }))
    await unlink(this.pathOf(id)).catch(() => undefined)
    this.#unfinished.forget(id)
  }

  /** At a client's word: what became a file is not ended by it. */
  override async remove (id: string): Promise<void> {
    const { finished } = await this.#record(id)
    if (finished !== undefined) throw ERRORS.INVALID_TERMINATION
    await this.discard(id)
  }

  /** Never throws. */
  async discard (id: string): Promise<void> {
    await unlink(this.pathOf(id)).catch(() => undefined)
    await this.records.remove(id)
    this.#unfinished.forget(id)
  }

  override getExpiration (): number {
    return this.#expiryMs
  }

  async #record (id: string): Promise<UploadRecord> {
    const record = await this.#guarded(async () => await this.records.read(id))
    if (record === undefined) throw ERRORS.FILE_NOT_FOUND
    return record
  }

  async #came (id: string): Promise<number> {
    try {
      return (await stat(this.pathOf(id))).size
    } catch (error) {
      throw isMissing(error) ? ERRORS.FILE_NO_LONGER_EXISTS : await fileFault(error, this.#directory)
    }
  }

  async #guarded<T> (action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw await fileFault(error, this.#directory)
    }
  }
}

/** A write may take a part only, as the last one before a disk is full does. */
async function writeAll (file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten
  }
}
