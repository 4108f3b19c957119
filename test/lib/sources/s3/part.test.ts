import { createHash } from 'node:crypto'
import t from 'tap'
import { Part } from '../../../../lib/sources/s3/part.ts'
import { bodyOf, nothing, payloadOf } from '../../../../lib/sources/s3/payload.ts'
import { content, taken } from '../../../helpers/origin.ts'

t.test('a part takes what it has room for, in whatever pieces', async t => {
  const bytes = content(300_000).bytes()
  for (const size of [1, 777, 65_536, 100_000, 400_000]) {
    const part = new Part(200_000)
    let at = 0
    while (!part.isFull) {
      const chunk = Buffer.from(bytes.subarray(at, at + size))
      at += part.take(chunk)
      chunk.fill(0) // it is the caller's again
    }
    t.equal(at, 200_000)
    t.equal(part.bytes, at)
    t.equal(part.take(Buffer.from('more')), 0)
    const payload = part.payload()
    const hash = createHash('sha256').update(bytes.subarray(0, at)).digest('hex')
    t.equal(payload.sha256, hash)
    t.equal(payload.bytes, at)
    for (let attempt = 0; attempt < 2; attempt++) t.equal((await taken(bodyOf(payload))).hash, hash)
  }
})

t.test('small bodies go in one piece, and nothing is one', async t => {
  t.same(bodyOf(payloadOf('meow')), Buffer.from('meow'))
  t.same(bodyOf(new Part(10).payload()), Buffer.alloc(0))
  t.equal(payloadOf(Buffer.alloc(0)).sha256, nothing.sha256)
})
