import type { ContentCoding } from '../representation.ts'

/** Codings in the order the server prefers them where the client does not: smallest first. */
export const codings: readonly ContentCoding[] = ['br', 'zstd', 'gzip']

const aliases: Record<string, string> = { 'x-gzip': 'gzip' }

/**
 * The coding to send, of those that are stored, by the weights of `Accept-Encoding`
 * (RFC 9110 §12.5.3); undefined means the bytes as they are.
 *
 * @param field the request field, if any
 * @param stored the codings there are
 */
export function selectCoding (field: string | undefined, stored: readonly ContentCoding[]): ContentCoding | undefined {
  if (field === undefined || stored.length === 0) return undefined
  const weights = parseWeights(field)
  const other = weights.get('*') ?? 0
  // identity is acceptable unless excluded, but any coding asked for is worth more.
  let best: ContentCoding | undefined
  let bestWeight = weights.has('identity') ? (weights.get('identity') as number) : 0
  for (const coding of codings) {
    if (!stored.includes(coding)) continue
    const weight = weights.get(coding) ?? other
    if (weight > 0 && (weight > bestWeight || (best === undefined && weight === bestWeight))) {
      best = coding
      bestWeight = weight
    }
  }
  return best
}

/** Elements of a field with `;q=`: names in lower case, weights 0 to 1 (RFC 9110 §12.4.2). */
export function parseWeights (field: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const element of field.split(',')) {
    const [name = '', ...parameters] = element.split(';')
    const key = name.trim().toLowerCase()
    if (key === '') continue
    weights.set(aliases[key] ?? key, weightOf(parameters))
  }
  return weights
}

function weightOf (parameters: string[]): number {
  for (const parameter of parameters) {
    const match = /^[ \t]*q[ \t]*=[ \t]*([\d.]+)[ \t]*$/i.exec(parameter)
    if (match === null) continue
    const weight = Number(match[1])
    return Number.isNaN(weight) ? 0 : Math.min(1, weight)
  }
  return 1
}
