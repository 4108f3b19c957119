import { acceptance } from '../http/accept.ts'
import { mediaTypes, type InputFormat, type OutputFormat } from './format.ts'
import type { HeaderFacts } from './headers/facts.ts'

/** What of an original decides which formats suit it. */
export interface Nature {
  readonly format: InputFormat
  readonly alpha: boolean
  /** Whether it has several frames. */
  readonly animated: boolean
}

/**
 * The nature of what is made of an original.
 *
 * @param keepsFrames whether all frames are asked for
 */
export function natureOf ({ format, alpha, frames }: HeaderFacts, keepsFrames: boolean): Nature {
  return { format, alpha, animated: keepsFrames && frames !== undefined && frames !== 1 && (format === 'gif' || format === 'webp') }
}

/** Formats that keep several frames. */
export const animatedFormats: ReadonlySet<OutputFormat> = new Set(['webp', 'gif'])

/** Formats that have transparency. */
const transparentFormats: ReadonlySet<OutputFormat> = new Set(['png', 'webp', 'avif', 'gif', 'tiff'])

/** The format of a variant where none is asked for: the original's, or for what browsers do not show the nearest that they do. */
export function naturalFormat ({ format, alpha }: Nature): OutputFormat {
  if (format === 'svg' || format === 'heic' || format === 'tiff') return alpha ? 'png' : 'jpeg'
  return format
}

/**
 * The format for `f=auto`: of those preferred, the one that weighs most in `Accept`, if it is
 * named there and weighs no less than what every client shows. A range such as `image/*` is
 * no sign that a client knows a new format.
 *
 * @param field the request's `Accept`
 * @param preferred new formats, the best first
 */
export function negotiateFormat (field: string | undefined, nature: Nature, preferred: readonly OutputFormat[]): OutputFormat {
  const accepts = acceptance(field)
  const suits = (format: OutputFormat): boolean => (!nature.animated || animatedFormats.has(format)) && (!nature.alpha || transparentFormats.has(format))
  let best = commonFormat(nature, accepts)
  let bestWeight = accepts(mediaTypes[best]).weight
  let chosen = false
  for (const format of preferred) {
    const { weight, named } = accepts(mediaTypes[format])
    if (!named || !suits(format) || weight === 0) continue
    if (chosen ? weight <= bestWeight : weight < bestWeight) continue
    best = format
    bestWeight = weight
    chosen = true
  }
  return best
}

/** What every client shows: GIF if it moves, PNG if it is transparent, else JPEG, or PNG for those who want no JPEG. */
function commonFormat ({ alpha, animated }: Nature, accepts: ReturnType<typeof acceptance>): OutputFormat {
  if (animated) return 'gif'
  if (alpha) return 'png'
  return accepts('image/jpeg').weight === 0 && accepts('image/png').weight > 0 ? 'png' : 'jpeg'
}
