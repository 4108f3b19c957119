import { spellPath, type Mistake } from './mistakes.ts'

/** How deep a configuration may be nested; ours is five deep. Against files that nest to exhaust the stack. */
const MAX_DEPTH = 32

/** A copy of plain data. */
export interface PlainCopy {
  /** What was no data stands as null in it. */
  readonly value: unknown
  /** Where something else than data stood. */
  readonly mistakes: readonly Mistake[]
}

/**
 * Copies what was written, of whatever shape: only texts, numbers, flags, null, lists and
 * plain objects come through. A key named `__proto__` is a key like any other. Keys without
 * a value are left out.
 */
export function plainCopy (input: unknown): PlainCopy {
  const mistakes: Mistake[] = []
  const above = new Set<unknown>()

  const refuse = (keys: readonly string[], received: string): null => {
    mistakes.push({ path: spellPath(keys), message: `Expected plain data but received ${received}` })
    return null
  }
  const copy = (value: unknown, keys: readonly string[]): unknown => {
    if (value === null || value === undefined || ['string', 'number', 'boolean'].includes(typeof value)) return value
    const members = membersOf(value)
    if (members === undefined) return refuse(keys, kindOf(value))
    if (above.has(value)) return refuse(keys, 'something that holds itself')
    if (keys.length >= MAX_DEPTH) return refuse(keys.slice(0, 3), `more than ${MAX_DEPTH} levels`)
    above.add(value)
    const copied = members.map(([key, member]) => [key, copy(member, [...keys, key])] as const)
    above.delete(value)
    if (Array.isArray(value)) return copied.map(([, member]) => member ?? null)
    return Object.fromEntries(copied.filter(([, member]) => member !== undefined))
  }
  return { value: copy(input, []), mistakes }
}

/** The members of a list or a plain object; undefined for anything else. */
function membersOf (value: unknown): Array<[string, unknown]> | undefined {
  if (Array.isArray(value)) return Array.from(value, (member, place) => [String(place), member])
  if (typeof value !== 'object' || value === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null
  return plain ? Object.entries(value) : undefined
}

function kindOf (value: unknown): string {
  if (typeof value !== 'object') return `a ${typeof value}`
  const { name } = (value as object).constructor
  return name === '' ? 'an object of a class' : `an object of the class ${name}`
}
