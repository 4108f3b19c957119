import { ConfigError } from '../../../lib/config/mistakes.ts'
import { resolveConfig, type ResolveOptions } from '../../../lib/config/resolve.ts'

/** The mistakes of a configuration, as `path: message`. */
export async function mistakesIn (input: unknown, options: Partial<ResolveOptions> = {}): Promise<string[]> {
  try {
    await resolveConfig(input, { base: '/', ...options })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ path, message }) => `${path}: ${message}`)
  }
}

/** Parts of configurations. */
export const files = { files: { driver: 'file', root: '/' } }
export const mount = (rest: object): object => ({ sources: files, mounts: [{ source: 'files', ...rest }] })
export const tree = (...sources: string[]): object => ({ driver: 'tree', branches: sources.map(source => ({ source })) })
export const root = (path: string): object => ({ sources: { a: { driver: 'file', root: path } } })
