import { MediaError } from '../errors.ts'
import { RepresentationChanged, type Body, type Representation } from '../representation.ts'
import { readFully } from '../sources/chunk-pool.ts'
import { openStored, type StoredFile } from '../sources/stored-file.ts'
import { HEAD_BYTES, MAX_HEAD_BYTES, sniff, type HeaderFacts } from './sniff.ts'

const known = new WeakMap<Representation, HeaderFacts>()
const readings = new WeakMap<Representation, Promise<HeaderFacts>>()

/**
 * What the first bytes of an original tell, without decoding. Known at once where it was
 * asked before: a representation is immutable.
 *
 * @throws {MediaError} `unsupported-image` where it is no picture of an accepted kind, and what `open` throws
 */
export function headerFacts (representation: Representation): HeaderFacts | Promise<HeaderFacts> {
  const facts = known.get(representation)
  if (facts !== undefined) return facts
  let reading = readings.get(representation)
  if (reading === undefined) {
    reading = readFacts(representation).finally(() => readings.delete(representation))
    readings.set(representation, reading)
  }
  return reading
}

async function readFacts (representation: Representation): Promise<HeaderFacts> {
  let facts = sniff(await headOf(representation, HEAD_BYTES))
  // The size of a JPEG may lie behind large metadata.
  if (facts?.format === 'jpeg' && facts.width === undefined) facts = sniff(await headOf(representation, MAX_HEAD_BYTES))
  if (facts?.format === undefined) {
    throw new MediaError('unsupported-image', { detail: facts === undefined ? 'The file is no image' : `The file is ${facts.name}, which is not made into variants` })
  }
  known.set(representation, facts)
  return facts
}

async function headOf (representation: Representation, length: number): Promise<Buffer> {
  if (representation.bytes !== undefined) return representation.bytes.subarray(0, length)
  if (representation.size === 0) return Buffer.alloc(0)
  const stored = representation.stored === undefined ? undefined : await headOfFile(representation, representation.stored, length)
  if (stored !== undefined) return stored
  const whole = representation.size !== undefined && representation.size <= length
  const body = await representation.open(whole ? undefined : { start: 0, end: length - 1 })
  return Buffer.isBuffer(body) ? body.subarray(0, length) : await firstBytes(body, length)
}

/**
 * Opened for this alone: a descriptor that is kept would be of no use, since the worker opens its
 * own. Undefined where there is none left: who serves files gives up those that it only keeps.
 */
async function headOfFile (representation: Representation, file: StoredFile, length: number): Promise<Buffer | undefined> {
  const handle = await openStored(file).catch((error: unknown) => {
    if (error instanceof RepresentationChanged) representation.outdated?.()
    if (error instanceof MediaError && error.code === 'out-of-descriptors') return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    const head = Buffer.allocUnsafe(Math.min(length, file.size))
    return head.subarray(0, await readFully(handle.fd, head, 0, head.length, 0))
  } finally {
    await handle.close()
  }
}

async function firstBytes (body: Exclude<Body, Buffer>, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let read = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    read += chunk.length
    if (read >= length) break // which destroys the stream
  }
  return Buffer.concat(chunks).subarray(0, length)
}
