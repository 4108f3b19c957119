import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { parseWeights } from '../../http/accept-encoding.ts'

/** Decoders of the content codings (RFC 9110 §8.4.1), each for one body, in memory that does not grow with it. */
const decoders = new Map<string, () => Transform>([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()]
])

/**
 * What is asked for. Not `deflate`, of which senders do not agree what it is, nor `zstd`:
 * the decoder of Node.js 24 drops all but the first frame of a body.
 */
const asked: ReadonlySet<string> = new Set(['gzip', 'br', 'identity'])

/** The most codings of one body, one within the other: an origin that stacks them pushes against it. */
const MAX_CODINGS = 2

/**
 * `Accept-Encoding` with nothing in it that could not be decoded. Without a field there is none:
 * an origin then sends the bytes as they are.
 */
export function decodableEncodings (field: string): string {
  const weights = [...parseWeights(field)].filter(([name]) => asked.has(name))
  return weights.map(([name, weight]) => weight === 1 ? name : `${name};q=${Number(weight.toFixed(3))}`).join(', ') || 'identity'
}

/**
 * Makes the decoders for a body, the first for what was applied last.
 *
 * @param field `Content-Encoding`, if any
 * @returns undefined where one of its codings is not known, or there are too many
 */
export function decodersFor (field: string | undefined): Array<() => Transform> | undefined {
  const names = (field ?? '').split(',').map(name => name.trim().toLowerCase()).filter(name => name !== '' && name !== 'identity')
  const found = names.toReversed().flatMap(name => decoders.get(name) ?? [])
  return found.length === names.length && names.length <= MAX_CODINGS ? found : undefined
}
