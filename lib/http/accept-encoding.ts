import type { ContentCoding } from '../representation.ts'

/** Codings in the order the server prefers them where the client does not: smallest first. */
export const codings: readonly ContentCoding[] = ['br', 'zstd', 'gzip']

/** RFC 9110 §8.4.1.3. A map, because the names looked up in it come from the client. */
const aliases = new Map([['x-gzip', 'gzip']])

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
  // Not named, identity is acceptable, but any coding asked for is worth more; `*` stands for it too.
  let best: ContentCoding | undefined
  let bestWeight = weights.get('identity') ?? other
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

/**
 * Elements of a field with `;q=`: names in lower case, weights 0 to 1 (RFC 9110 §12.4.2).
 * What has a malformed weight is read as not wanted: the bytes as they are suit everyone.
 */
export function parseWeights (field: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const element of field.split(',')) {
    const [name = '', ...parameters] = element.split(';')
    const key = name.trim().toLowerCase()
    if (key === '') continue
    weights.set(aliases.get(key) ?? key, weightOf(parameters))
  }
  return weights
}

function weightOf (parameters: string[]): number {
  for (const parameter of parameters) {
    const value = /^[ \t]*q[ \t]*=(.*)$/i.exec(parameter)?.[1]?.trim()
    if (value === undefined) continue
    return /^(?:\d+(?:\.\d*)?|\.\d+)$/.test(value) ? Math.min(1, Number(value)) : 0
  }
  return 1
}
