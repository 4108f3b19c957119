import type { IncomingHttpHeaders } from 'node:http'
import type { Values } from '../transform/transform.ts'

/** What a client tells of itself, as `Vary` names it (the older names, and those of Client Hints, RFC 8942). */
export const HINT_FIELDS = 'DPR, Sec-CH-DPR, Width, Sec-CH-Width, Save-Data'

/** What a browser is asked to tell (`Accept-CH`). */
export const ACCEPT_CH = 'Sec-CH-DPR, Sec-CH-Width, DPR, Width, Save-Data'

/** The most pixels of the screen to one of the page that are worth their bytes. */
const MAX_DPR = 3

/** What quality loses where data is to be saved. */
const SAVED_QUALITY = 55

/**
 * The values that a client's hints add to those of the URL and its preset, which stand.
 * Malformed hints are no hints.
 *
 * @param values what is said already
 * @param widths what a hinted width rounds up to, in order: clients tell many
 */
export function hintedValues (values: Values, headers: IncomingHttpHeaders, widths: readonly number[] = []): Values {
  const hinted: Values = {}
  const hasSize = values.w !== undefined || values.h !== undefined
  const width = numberIn(headers['sec-ch-width'] ?? headers.width, 16_384)
  const dpr = numberIn(headers['sec-ch-dpr'] ?? headers.dpr, MAX_DPR)
  if (!hasSize && width !== undefined) hinted.w = snapped(Math.max(1, Math.round(width)), widths) // physical pixels already
  else if (hasSize && values.dpr === undefined && dpr !== undefined) hinted.dpr = Math.max(1, Math.round(dpr * 2) / 2)
  if (values.q === undefined && headers['save-data']?.toString().trim().toLowerCase() === 'on') hinted.q = SAVED_QUALITY
  return hinted
}

function snapped (width: number, widths: readonly number[]): number {
  return widths.find(allowed => allowed >= width) ?? widths.at(-1) ?? width
}

function numberIn (field: string | string[] | undefined, maximum: number): number | undefined {
  const text = field?.toString().trim() ?? ''
  if (!/^\d{1,5}(?:\.\d{1,4})?$/.test(text)) return undefined
  const value = Number(text)
  return value > 0 ? Math.min(value, maximum) : undefined
}
