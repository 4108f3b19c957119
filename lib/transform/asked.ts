import type { Values } from './transform.ts'

/** What a URL asks of a picture, as a grammar read it: before presets, limits and defaults. */
export interface Asked {
  readonly values: Values
  /** The name of a transform of the configuration; `values` go before what it says. */
  readonly preset?: string | undefined
  /** Whether facts about the original are asked for, as JSON. */
  readonly info: boolean
  /** The name to save it under; the empty one stands for its own. */
  readonly download?: string | undefined
}
