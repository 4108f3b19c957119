import { once } from 'node:events'
import { pipeline, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, gzipSync } from 'node:zlib'
import t from 'tap'
import { MediaError } from '../../../../lib/errors.ts'
import { PiecesStream, type Pieces } from '../../../../lib/upstream/rewrite/pieces.ts'
import { eventually } from '../../../helpers/process.ts'

/** Each chunk becomes so many of 16 KiB, and so does the end. */
function multiplied (times: number, made: { count: number }): Pieces {
  function * many (): Generator<Buffer> {
    for (let n = 0; n < times; n++) {
      made.count++
      yield Buffer.alloc(16 * 1024, 'x')
    }
  }
  return { push: many, end: many }
}

t.test('all pieces of all chunks and of the end come, in order', async t => {
  const stream = new PiecesStream({ push: chunk => [chunk, Buffer.from('|')], end: () => [Buffer.from('end')] })
  const body = Buffer.concat(await Readable.from([Buffer.from('one'), Buffer.from('two')]).pipe(stream).toArray())
  t.equal(body.toString(), 'one|two|end')
})

t.test('chunks follow each other however many pieces each becomes, and however fast they are read', async t => {
  for (const times of [0, 1, 2, 3, 40]) {
    for (const pauses of [false, true]) {
      const made = { count: 0 }
      const stream = new PiecesStream(multiplied(times, made))
      Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(100))).pipe(stream)
      let length = 0
      for await (const piece of stream) {
        length += (piece as Buffer).length
        if (pauses && made.count % 10 === 0) await new Promise(resolve => { setImmediate(resolve) })
      }
      t.equal(length, 51 * times * 16 * 1024)
    }
  }
})

t.test('nothing is a whole body too', async t => {
  const stream = new PiecesStream({ push: () => [], end: () => [] })
  t.same(await Readable.from([Buffer.from('swallowed')]).pipe(stream).toArray(), [])
})

t.test('a reader sets the pace within one chunk, and at its end', async t => {
  const made = { count: 0 }
  const stream = new PiecesStream(multiplied(1000, made))
  stream.end(Buffer.from('one chunk'))
  await once(stream, 'readable')
  t.ok(made.count < 20, `${made.count} of 2000 pieces are made before anyone reads`)
  let length = 0
  let most = 0
  for await (const piece of stream) {
    length += (piece as Buffer).length
    most = Math.max(most, made.count * 16 * 1024 - length)
  }
  t.equal(length, 2000 * 16 * 1024)
  t.ok(most < 1024 * 1024, `at most ${most} bytes wait for the reader`)
})

t.test('a body in a broken coding is the fault of its origin', async t => {
  const cut = gzipSync('x'.repeat(1000)).subarray(0, 20)
  const rows = [
    [createGunzip(), Buffer.from('this was never gzip')],
    [createGunzip(), cut],
    [createBrotliDecompress(), Buffer.from('this was never br')]
  ] as const
  for (const [decoder, bytes] of rows) {
    const stream = new PiecesStream({ push: chunk => [chunk], end: () => [] })
    pipeline([Readable.from([bytes]), decoder, stream], () => {})
    const seen = await stream.toArray().catch((error: unknown) => error)
    t.match(seen, { code: 'upstream-content', statusCode: 502, detail: 'The body is not in the coding that its Content-Encoding names', cause: { name: 'Error' } })
  }
})

t.test('other failures stay what they are', async t => {
  for (const failure of [new MediaError('upstream-reset'), Object.assign(new Error('no'), { code: 'ECONNRESET' }), new Error('plain')]) {
    const stream = new PiecesStream({ push: chunk => [chunk], end: () => [] })
    stream.on('error', () => {})
    stream.destroy(failure)
    await eventually(() => stream.closed)
    t.equal(stream.errored, failure)
  }
  const left = new PiecesStream({ push: chunk => [chunk], end: () => [] }).destroy()
  await once(left, 'close')
  t.equal(left.errored, null)
})
