import { crc32 } from 'node:zlib'
import t from 'tap'
import { isWhole, parseRecord, recordHeader } from '../../../lib/cache/record.ts'
import { keyOf, variantOf } from '../../contracts/variant-store.ts'

const key = keyOf('a')

/** A header with a right checksum over any facts. */
function sealed (facts: string, change: (header: Buffer) => void = () => undefined): Buffer {
  const header = Buffer.concat([Buffer.alloc(20), Buffer.from(facts)])
  header.writeUInt32BE(0x46_4d_56_01, 0)
  header.writeUInt32BE(Buffer.byteLength(facts), 4)
  change(header)
  header.writeUInt32BE(crc32(header.subarray(20), crc32(header.subarray(0, 16))), 16)
  return header
}

t.test('what is written is read again', t => {
  const header = recordHeader(key, variantOf('meow', { quality: 7, tags: ['ü', '"'] }))
  const parsed = parseRecord(Buffer.concat([header, Buffer.from('meow')]), key)
  t.match(parsed, { facts: { type: 'image/webp', tags: ['ü', '"'], quality: 7 }, start: header.length, size: 4 })
  t.ok(typeof parsed === 'object' && isWhole(parsed, Buffer.from('meow')) && !isWhole(parsed, Buffer.from('meoW')))
  t.equal(parseRecord(header, keyOf('b')), undefined, 'under another key it is foreign')
  t.type(parseRecord(header, undefined), 'object')
  t.equal(parseRecord(header.subarray(0, 30), key), header.length, 'how much more is needed')
  t.end()
})

t.test('facts that nobody here wrote are refused, although their checksum is right', t => {
  const facts = { key, type: 'image/png', tags: [] as unknown[] }
  t.type(parseRecord(sealed(JSON.stringify(facts)), key), 'object')
  const hostile = ['', '{', 'null', '7', '[]', '{}', ...[{ type: 'a\r\nb: c' }, { type: 7 }, { tags: 'x' }, { tags: [7] }, { tags: null }, { quality: 'x' }, { tags: Array.from({ length: 17 }, () => 'x') }].map(change => JSON.stringify({ ...facts, ...change }))]
  for (const text of hostile) t.equal(parseRecord(sealed(text), key), undefined, text.slice(0, 60))
  t.equal(parseRecord(sealed('{}', header => header.writeUInt32BE(0xffff_ffff, 4)), key), undefined, 'a length that would fill the memory')
  t.equal(parseRecord(sealed(JSON.stringify(facts), header => header.writeUInt32BE(0x46_4d_56_02, 0)), key), undefined, 'another version')
  t.end()
})
