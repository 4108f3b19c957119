import { parseArgs, type ParseArgsConfig } from 'node:util'

/** A command line that is not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

type Options = NonNullable<ParseArgsConfig['options']>

/** What stands behind a command's name. */
export interface Arguments<T extends Options> {
  readonly values: ReturnType<typeof parseArgs<{ options: T }>>['values']
  readonly positional: string | undefined
}

/**
 * Reads the arguments of a command, which takes at most one that is no option.
 *
 * @throws {UsageError} naming what is not understood
 */
export function readArguments<const T extends Options> (args: string[], options: T): Arguments<T> {
  const { values, positionals } = readManyArguments(args, options)
  const [positional, ...more] = positionals
  if (more.length > 0) throw new UsageError(`Expected one argument but received ${positionals.join(' ')}`)
  return { values, positional }
}

/**
 * Reads the arguments of a command, which takes any number that are no options.
 *
 * @throws {UsageError} naming what is not understood
 */
export function readManyArguments<const T extends Options> (args: string[], options: T): Pick<Arguments<T>, 'values'> & { readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
