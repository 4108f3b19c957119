import type { Asked } from '../transform/asked.ts'
import { encode, order, spell } from './spelling.ts'

/**
 * The one spelling in grammar `query` of what is asked, without `?`: canonical names in the
 * order of the table, then `preset`, `info`, `download`.
 *
 * @throws {URIError} where a text holds half a character
 */
export function formatQuery ({ values, preset, info, download }: Asked): string {
  const parameters: string[] = []
  for (const name of order) {
    const value = values[name]
    if (value !== undefined) parameters.push(`${name}=${readable(spell(value))}`)
  }
  if (preset !== undefined) parameters.push(`preset=${readable(preset)}`)
  if (info) parameters.push('info=1')
  if (download !== undefined) parameters.push(`download=${readable(download)}`)
  return parameters.join('&')
}

/** Commas and colons mean nothing in a query (RFC 3986 §3.4). */
function readable (text: string): string {
  return encode(text).replaceAll('%2C', ',').replaceAll('%3A', ':')
}
