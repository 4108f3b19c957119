import Type, { type Static } from 'typebox'
import { cacheRulePattern } from '../http/cache-control.ts'

/* What the schema of the configuration is put together from. */

export const strict = { additionalProperties: false } as const

/** A schema whose value may be left out: its type says so to {@link Input}. */
export type Defaulted<S extends Type.TSchema> = S & { default: unknown }

export function defaulted<S extends Type.TSchema> (schema: S, value: Static<S> | Record<string, never>): Defaulted<S> {
  return { ...schema, default: value }
}

export const Bytes = (description: string, value: number) => defaulted(Type.Integer({ description: `${description}. In bytes`, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), value)
export const Milliseconds = (description: string, value: number, minimum = 0) => defaulted(Type.Integer({ description: `${description}. In milliseconds`, minimum, maximum: 2_147_483_647 }), value)
export const Count = (description: string, value: number, maximum: number) => defaulted(Type.Integer({ description, minimum: 1, maximum }), value)
export const Flag = (description: string, value: boolean, extra = {}) => defaulted(Type.Boolean({ description, ...extra }), value)
export const Words = <const T extends string[]>(description: string, words: T, value: T[number], extra = {}) => defaulted(Type.Unsafe<T[number]>({ type: 'string', enum: words, description, ...extra }), value)
export const List = <S extends Type.TSchema>(description: string, item: S, value: Array<Static<S>>, extra = {}) => defaulted(Type.Array(item, { description, ...extra }), value as never)
export const Section = <P extends Type.TProperties>(description: string, properties: P) => defaulted(Type.Object(properties, { ...strict, description }), {})
/** A text of a form. Mistakes show the example rather than the pattern. */
export const Like = (example: string, pattern: string, extra = {}) => Type.String({ pattern, examples: [example], ...extra })
export const Rule = (description: string) => Like('30d immutable', cacheRulePattern, { description })

const segment = '(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+'
export const Prefix = (description: string) => Like('/photos', `^/(?:${segment}(?:/${segment})*/?)?$`, { description })

/** A file below a source. */
export const FilePath = (description: string) => Like('index.html', '^(?:[^/\\\\.\\x00][^/\\\\\\x00]*)(?:/[^/\\\\.\\x00][^/\\\\\\x00]*)*$', { description })

/** What a person writes for a schema: whatever has a default may be left out. */
export type Input<S> =
  S extends Type.TObject<infer P> ? InputProperties<P>
    : S extends Type.TArray<infer I> ? Array<Input<I>>
      : S extends Type.TSchema ? Static<S> : never

type LeftOut<P> = { [K in keyof P]: P[K] extends Defaulted<Type.TSchema> | Type.TOptional ? K : never }[keyof P]
type InputProperties<P> = { [K in LeftOut<P>]?: Input<P[K]> } & { [K in Exclude<keyof P, LeftOut<P>>]: Input<P[K]> }
