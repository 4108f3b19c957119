import type { Fields } from '../../upstream/message.ts'

/** A field that came once; undefined where it did not come, or where several lines contradict each other. */
export function single (headers: Fields, name: string): string | undefined {
  const value = headers[name]
  if (typeof value === 'string') return value.trim()
  const [first, ...others] = value ?? []
  return others.every(other => other === first) ? first?.trim() : undefined
}

/** A field that is a list, its lines joined (RFC 9110 §5.3). */
export function joined (headers: Fields, name: string): string {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value ?? ''
}

/** A whole number of no more than fifteen digits; undefined for anything else. */
export function wholeNumber (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
