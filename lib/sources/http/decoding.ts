import { pipeline, Transform, type Duplex, type Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import type { Fields } from '../../upstream/message.ts'
import { tooLarge, wrongContent } from './failures.ts'
import { joined } from './fields.ts'

/** Content codings that are undone (RFC 9110 §8.4.1). Zstandard is there from Node.js 22.15 on. */
const decoders = new Map<string, () => Duplex>([
  ['gzip', zlib.createGunzip],
  ['x-gzip', zlib.createGunzip],
  ['deflate', zlib.createInflate],
  ['br', zlib.createBrotliDecompress]
])
const { createZstdDecompress } = zlib as typeof zlib & { createZstdDecompress?: () => Duplex }
/* c8 ignore next -- which of the two it is depends on the version of Node.js */
if (createZstdDecompress !== undefined) decoders.set('zstd', createZstdDecompress)

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
