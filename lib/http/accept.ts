import { parseWeights } from './accept-encoding.ts'

/** What `Accept` says of a media type (RFC 9110 §12.5.1). */
export interface Acceptance {
  /** 0 to 1 by the most specific range that covers the type; 0 where none does. */
  readonly weight: number
  /** Whether the type itself is named. */
  readonly named: boolean
}

/**
 * The weights of media types in a field; without one every type is acceptable. Parameters
 * other than `q` do not tell ranges apart: no picture is asked for by them.
 *
 * @param field the request field, if any
 */
export function acceptance (field: string | undefined): (type: string) => Acceptance {
  if (field === undefined || field.trim() === '') return () => ({ weight: 1, named: false })
  const weights = parseWeights(field)
  return type => {
    const named = weights.get(type)
    if (named !== undefined) return { weight: named, named: true }
    return { weight: weights.get(`${type.slice(0, type.indexOf('/'))}/*`) ?? weights.get('*/*') ?? 0, named: false }
  }
}
