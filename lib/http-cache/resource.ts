import { randomBytes } from 'node:crypto'
import type { Entry } from './entry.ts'
import { MAX_VARY_NAMES, Selection, united, type FieldOf, type Normaliser } from './selection.ts'

/**
 * The most answers for one URL that are kept in memory. Whoever sends ever new values of a field
 * that `Vary` names pushes against it; the one unused for the longest goes first.
 */
export const MAX_VARIANTS = 64

/** What the disk knows of a URL whose answers vary, or were invalidated. */
export interface Mark {
  readonly varying: readonly string[]
  readonly salt: string
}

export function newSalt (): string {
  return randomBytes(12).toString('base64url')
}

/** What is known of one URL. */
export class Resource {
  readonly path: string
  /** By which it is purged. */
  readonly tag: string
  /** That of the purges that reached it when it was first asked for. */
  readonly generation: string
  /** Tells it from one of the same path that came before it, or will come after. */
  readonly serial: number
  readonly #normaliser: Normaliser
  /** The request fields that its answers vary by. Only more become known. */
  #varying: readonly string[] = []
  #selection: Selection
  /** Names the generation of its answers on disk; `''` where it never had another. */
  salt = ''
  /** Whether the disk knows what it varies by, and its salt. */
  isMarked = false
  readonly entries = new Map<string, Entry>()
  /** Requests under way for it. */
  users = 0
  /** Whether it was purged, or changed by an unsafe method: what was asked for before is no longer kept. */
  isGone = false

  constructor ({ path, tag, generation, serial }: Pick<Resource, 'path' | 'tag' | 'generation' | 'serial'>, normaliser: Normaliser) {
    this.path = path
    this.tag = tag
    this.generation = generation
    this.serial = serial
    this.#normaliser = normaliser
    this.#selection = new Selection(normaliser, [])
  }

  get varying (): readonly string[] {
    return this.#varying
  }

  /** Which of its answers a request means. */
  selectionOf (field: FieldOf): string {
    return this.#selection.of(field)
  }

  /**
   * Takes note of what an answer varies by.
   *
   * @returns whether that was news: what was kept before is selected by too little
   */
  widen (names: readonly string[]): boolean {
    const varying = united(this.#varying, names)
    if (varying === this.#varying) return false
    this.#varyBy(varying)
    this.salt = newSalt()
    this.isMarked = false
    return true
  }

  /** Whether an answer that varies by these names may be kept here. */
  mayKeep (names: readonly string[]): boolean {
    return !this.isGone && united(this.#varying, names).length <= MAX_VARY_NAMES
  }

  /** Takes note of what the disk knows. @returns whether it fits to what is known here */
  adopt ({ varying, salt }: Mark): boolean {
    if (this.entries.size > 0) return this.salt === salt
    this.#varyBy(varying)
    this.salt = salt
    this.isMarked = true
    return true
  }

  #varyBy (varying: readonly string[]): void {
    this.#varying = varying
    this.#selection = new Selection(this.#normaliser, varying)
  }
}
