import { adjusting } from './operations/adjusting.ts'
import { decorating } from './operations/decorating.ts'
import { encoding } from './operations/encoding.ts'
import type { Operation } from './operations/operation.ts'
import { reading } from './operations/reading.ts'
import { sizing } from './operations/sizing.ts'

export { formatWords } from './operations/encoding.ts'
export { MAX_SIDE, type Adjusted, type Operation, type StepName } from './operations/operation.ts'

/**
 * Every image operation, one record each, in canonical order: that of the pipeline's steps, each
 * of which has a file of records. Grammars, limits, the URL builder, the pipeline, `docs/transforms.md` and tests iterate this table. Names are imgix's
 * where imgix has one. Isomorphic: no more than types is imported from the engine.
 */
export const operations = { ...reading, ...sizing, ...adjusting, ...decorating, ...encoding } as const

export type Operations = typeof operations
export type OperationName = keyof Operations

/** The value of an operation. */
export type ValueOf<N extends OperationName> = Operations[N] extends Operation<infer V> ? V : never

/** Every name in canonical order. */
export const operationNames = Object.keys(operations) as OperationName[]

/** Names and aliases, and which operation each means. */
export const operationsByName: ReadonlyMap<string, OperationName> = new Map(operationNames.flatMap(key => [key, ...operations[key].aliases].map(spelling => [spelling, key] as const)))
