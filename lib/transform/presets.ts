import { MediaError } from '../errors.ts'
import { parseQuery } from './grammars/query.ts'
import type { Values } from './transform.ts'

/**
 * What a preset of the configuration says, spelled in the grammar `query`: `w=320&h=200&fit=cover&f=auto`.
 *
 * @throws {MediaError} `bad-transform`
 */
export function readPreset (text: string): Values {
  const { values, preset, info, download } = parseQuery(text, { unknown: 'refuse', ignored: [] })
  if (preset !== undefined || info || download !== undefined) throw new MediaError('bad-transform', { detail: 'Expected operations alone: no preset, info or download' })
  if (Object.keys(values).length === 0) throw new MediaError('bad-transform', { detail: 'Expected at least one operation' })
  return Object.freeze(values)
}
