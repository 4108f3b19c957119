import type { AccessConfig, Requirement } from '../config/access-schema.ts'

/** Methods that only read (RFC 9110 §9.2.1), of those that every server has. */
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method only reads. */
export function isReading (method: string): boolean {
  return reading.has(method)
}

/** The rule for a method. @param isReadOnly whether others than those that read do nothing: then they need what reading needs */
export function requirementFor ({ read = 'public', write = 'nobody', methods = {} }: Partial<AccessConfig>, method: string, isReadOnly = false): Requirement {
  if (!isReading(method) && isReadOnly) return read
  return Object.hasOwn(methods, method) ? methods[method] as Requirement : isReading(method) ? read : write
}
