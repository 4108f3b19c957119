import { pipeline, Transform, type Duplex, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Fields } from '../../upstream/message.ts'
import { tooLarge, wrongContent } from './failures.ts'
import { joined } from './fields.ts'

/** Content codings that are undone (RFC 9110 §8.4.1). Not Zstandard: Node.js leaves out every frame after the first, and says nothing. */
const decoders: ReadonlyMap<string, () => Duplex> = new Map<string, () => Duplex>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress]
])

/** What undoes a coding. */
export type Decoder = () => Duplex

/**
 * What undoes the coding that an answer has although none was asked for; undefined where it has
 * none. Several on top of each other are refused: what is between them has no bound.
 *
 * @throws {MediaError} `upstream-content`
 */
export function decoderOf (headers: Fields, name: string): Decoder | undefined {
  const codings = joined(headers, 'content-encoding').toLowerCase().split(',').map(coding => coding.trim()).filter(coding => coding !== '' && coding !== 'identity')
  const [coding] = codings
  if (coding === undefined) return undefined
  const decoder = codings.length === 1 ? decoders.get(coding) : undefined
  if (decoder === undefined) throw wrongContent(name, 'came in a coding that nobody asked for')
  return decoder
}

/**
 * A body without its coding. It fails where its coded form is larger than `maxBytes`, or damaged;
 * the bound on what comes out is whoever's that reads it. The origin pushes against both.
 */
export function decoded (body: Readable, decoder: Decoder, { name, maxBytes }: { name: string, maxBytes: number }): Readable {
  let coded = 0
  const bounded = new Transform({
    transform (chunk: Buffer, _encoding, done) {
      coded += chunk.length
      if (coded > maxBytes) done(tooLarge(name, maxBytes))
      else done(null, chunk)
    }
  })
  const plain = decoder()
  pipeline(body, bounded, plain, () => {}) // the last of them fails with whichever fails
  return plain
}
