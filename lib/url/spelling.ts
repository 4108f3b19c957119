import type { OperationName } from '../transform/operations.ts'
import type { Values } from '../transform/transform.ts'

/**
 * The names of the operations in canonical order, and how values are written: what of the
 * table a browser needs to write URLs. Tests hold both to the table.
 */
export const order = `
  frame animated orient rot flip trim rect w h ar fit enlarge position fx fy zoom dpr kernel gamma median blur sharp bri sat hue con gam normalise
  greyscale tint invert threshold lightness linear clahe dilate erode unflatten px radius mask pad bg mark mark-position mark-alpha mark-scale mark-pad mark-tile
  txt txt-size txt-color txt-position txt-pad f q lossless effort progressive chromasub meta cs
`.trim().split(/\s+/) as readonly OperationName[]

/** A value as its operation reads it. */
export function spell (value: NonNullable<Values[OperationName]>): string {
  if (typeof value === 'boolean') return value ? '1' : '0'
  return typeof value === 'object' ? value.join(',') : String(value)
}

/** Percent-encodes what a URL's path segment or query could read otherwise. @throws {URIError} for half a character */
export function encode (text: string): string {
  return encodeURIComponent(text).replaceAll('\'', '%27')
}
