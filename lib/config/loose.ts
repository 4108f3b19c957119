import type { Mistake } from './mistakes.ts'

/** A configuration that may be wrong anywhere. */
export type Loose = Readonly<Record<string, unknown>>

/** The mistake that reading a text throws, if any. */
export function attempt (path: string, text: unknown, read: (text: string) => unknown): Mistake[] {
  try {
    if (typeof text === 'string') read(text)
    return []
  } catch (error) {
    return [{ path, message: (error as Error).message }]
  }
}

/** What is no object holds nothing. */
export function record (value: unknown): Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Loose : {}
}

/** What is no list holds nothing. */
export function list (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
