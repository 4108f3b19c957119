import type { Sharp } from 'sharp'
import type { Argument } from '../arguments.ts'

/** Which step of the pipeline an operation belongs to; see `lib/image/pipeline/pipeline.ts`. */
export type StepName = 'open' | 'orient' | 'crop' | 'size' | 'adjust' | 'decorate' | 'encode'

/** What an `adjust` operation may ask about the picture it changes. */
export interface Adjusted {
  /** Whether the picture has an alpha channel. */
  readonly hasAlpha: boolean
}

/** One operation. */
export interface Operation<V = never> {
  /** Other names of it. */
  readonly aliases: readonly string[]
  readonly argument: Argument<V>
  readonly step: StepName
  /** One line for the reader of `docs/transforms.md`. */
  readonly doc: string
  /** A query that shows it. */
  readonly example: string
  /**
   * Changes the picture, for operations that need nothing but their own value. The others are
   * read together by their step: a size follows from several of them.
   */
  readonly apply?: (image: Sharp, value: V, picture: Adjusted) => Sharp
}

/** A record of a table: its argument decides the type of its value. */
export function operation<V> (record: Operation<V>): Operation<V> {
  return record
}

/** The largest side that any server may allow; each mount has its own, lower limit. */
export const MAX_SIDE = 16_384
