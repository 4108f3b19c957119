import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { MediaError } from '../errors.ts'
import type { AsideFile, WritingArea } from './writing-area.ts'
import { writingFault } from './writing-faults.ts'
import type { Condition, Draft, Written } from './writing.ts'

/** Bytes that are gathered for one write; as many may be on their way to the disk meanwhile. Whoever uploads pushes against it. */
const GATHERED_BYTES = 256 * 1024

/** Pieces of one write: each costs memory beside its bytes, and whoever uploads makes them as small as they like. */
const GATHERED_PIECES = 512

// For reading: a file that is whole is described, dated and flushed, and not written any more.
const WHOLE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW

/** Puts a file that is whole into its place. @throws what the condition throws, {MediaError}, and as the file system does */
export type Place = (aside: AsideFile, condition: Condition | undefined) => Promise<Written>

/** A draft in a file aside. While it rests it is whole on the disk, and nothing of it is open. */
export class FileDraft implements Draft {
  readonly #area: WritingArea
  #aside: AsideFile
  readonly #place: Place
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #writing: Promise<void> | undefined
  #failure: unknown
  #isResting = false
  #end: Promise<void> | undefined
  bytes = 0

  constructor (area: WritingArea, aside: AsideFile, place: Place) {
    this.#area = area
    this.#aside = aside
    this.#place = place
  }

  async write (chunk: Buffer): Promise<void> {
    this.#check()
    if (this.#isResting) throw new MediaError('internal', { detail: 'This draft rests' })
    this.bytes += chunk.length
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    if (this.#gatheredBytes >= GATHERED_BYTES || this.#gathered.length >= GATHERED_PIECES) await this.#flush()
  }

  async rest (): Promise<void> {
    this.#check()
    try {
      await this.#store()
      await this.#aside.file.close()
      this.#isResting = true
    } catch (error) {
      this.#failure = await writingFault(error, this.#aside.path)
      await this.discard()
      throw this.#failure
    }
  }

  async commit (condition?: Condition): Promise<Written> {
    this.#check()
    try {
      if (this.#isResting) this.#aside = { ...this.#aside, file: await open(this.#aside.path, WHOLE_FLAGS) }
      else await this.#store()
      return await this.#place(this.#aside, condition)
    } catch (error) {
      throw this.#failure = await writingFault(error, this.#aside.path)
    } finally {
      await this.discard()
    }
  }

  async discard (): Promise<void> {
    await (this.#end ??= this.#remove())
  }

  /** @throws {MediaError} what went wrong before */
  #check (): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#end !== undefined) throw new MediaError('internal', { detail: 'This draft is over' })
  }

  /** Settles when all of it outlives a power loss. @throws {MediaError} and as the file system does */
  async #store (): Promise<void> {
    await this.#flush()
    await this.#written()
    await this.#aside.file.sync()
  }

  /** Begins to write what was gathered, once what was gathered before is written. */
  async #flush (): Promise<void> {
    await this.#written()
    const pieces = this.#gathered
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#writing = writeFully(this.#aside, pieces).catch(error => { this.#failure = error })
  }

  /** Settles when nothing is on its way to the disk. @throws {MediaError} where that failed: the room that it took is given back at once */
  async #written (): Promise<void> {
    await this.#writing
    if (this.#failure === undefined) return
    await this.discard()
    throw this.#failure
  }

  async #remove (): Promise<void> {
    await this.#writing
    this.#gathered = []
    await this.#aside.file.close().catch(() => undefined)
    // Once it is in its place, nothing has this name any more.
    await unlink(this.#aside.path).catch(() => undefined)
    this.#area.forget(this.#aside.path)
  }
}

/** @throws {MediaError} */
async function writeFully ({ file, path }: AsideFile, pieces: Buffer[]): Promise<void> {
  let left = pieces.filter(piece => piece.length > 0)
  try {
    while (left.length > 0) left = without(left, (await file.writev(left)).bytesWritten)
  } catch (error) {
    throw await writingFault(error, path)
  }
}

/** What is left when so many bytes were taken. The last blocks of a full disk take a part, without an error: that comes with the rest. */
function without (pieces: Buffer[], bytes: number): Buffer[] {
  let taken = bytes
  let whole = 0
  for (let piece = pieces[0]; piece !== undefined && piece.length <= taken; piece = pieces[++whole]) taken -= piece.length
  const left = pieces.slice(whole)
  if (taken > 0) left[0] = (left[0] as Buffer).subarray(taken)
  return left
}
