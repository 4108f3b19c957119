import { didYouMean, show } from '../../config/mistakes.ts'
import { MediaError } from '../../errors.ts'
import { ArgumentError } from '../arguments.ts'
import { operations, type Operation, type OperationName, type ValueOf } from '../operations.ts'

/** Mistakes that one answer tells; a URL may hold thousands. */
const MAX_TOLD = 8

/** Characters of an unknown name that is compared with the known ones. Longer ones cost too much, shorter ones are like too many. */
const COMPARED = { minimum: 3, maximum: 32 } as const

/** What is wrong with a URL, gathered so that all of it is told at once. */
export class Problems {
  readonly #told: string[] = []
  #count = 0

  add (problem: string): void {
    this.#count++
    if (this.#told.length < MAX_TOLD) this.#told.push(problem)
  }

  /** @param what what kind of name it is: `parameter`, `modifier` */
  addUnknown (what: string, name: string, known: readonly string[]): void {
    const isCompared = this.#told.length < MAX_TOLD && name.length >= COMPARED.minimum && name.length <= COMPARED.maximum
    this.add(`Unknown ${what} ${show(name)}${isCompared ? didYouMean(name, known) : ''}`)
  }

  /** The value of an operation, or undefined where the text is none, which becomes a problem. @param as the name in the URL */
  read<N extends OperationName> (name: N, text: string, as: string = name): ValueOf<N> | undefined {
    try {
      return (operations[name] as unknown as Operation<ValueOf<N>>).argument.read(text)
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error
      this.add(`${as}: ${error.message}, received ${show(text)}`)
      return undefined
    }
  }

  /** @throws {MediaError} `bad-transform` where there are any */
  refuse (): void {
    if (this.#count === 0) return
    const more = this.#count - this.#told.length
    throw new MediaError('bad-transform', { detail: `${this.#told.join('; ')}${more > 0 ? `; and ${more} more` : ''}` })
  }
}

/** Percent-decoding that takes nothing malformed; undefined where it is, or where it holds NUL. */
export function decode (text: string): string | undefined {
  if (!text.includes('%')) return text.includes('\0') ? undefined : text
  try {
    const decoded = decodeURIComponent(text)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}

/** The longest name that a file is saved under. */
const MAX_DOWNLOAD_NAME = 255

/** Whether a text may be the name that a file is saved under: of bounded length, and without control characters. */
export function isDownloadName (text: string): boolean {
  return text.length <= MAX_DOWNLOAD_NAME && !/[\p{Cc}\p{Cs}\p{Bidi_Control}]/u.test(text)
}

const PRESET_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

export function isPresetName (text: string): boolean {
  return PRESET_NAME.test(text)
}
