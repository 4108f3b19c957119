import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { digestAlgorithms, formatDigest, parseDigests, reprDigest, wantedDigest } from '../../../lib/http/digest.ts'

t.test('the algorithm that is wanted most is given, of those that are known', async t => {
  const rows: Array<[string | string[] | undefined, string | undefined]> = [
    [undefined, undefined],
    ['sha-256=1', 'sha-256'],
    ['sha-512=10', 'sha-512'],
    ['sha-256=1, sha-512=2', 'sha-512'],
    ['sha-512=5, sha-256=5', 'sha-256'],
    ['sha-256=0', undefined],
    ['sha-256=0, sha-512=1', 'sha-512'],
    ['sha-256=0, sha-256=3', 'sha-256'],
    [['sha-256=1', 'sha-512=9'], 'sha-512'],
    ['md5=10, sha=10, unixsum=9, sha-256=1;q=0', 'sha-256'],
    ['md5=10', undefined],
    ['', undefined]
  ]
  for (const [field, expected] of rows) t.equal(wantedDigest(field), expected, JSON.stringify(field))
})

t.test('what is malformed is ignored', async t => {
  for (const field of ['sha-256', 'sha-256=11', 'sha-256=-1', 'sha-256=5.0', 'sha-256="5"', 'sha-256=?1', 'sha-256=(5)', 'sha-256=:BQ==:', 'SHA-256=5', 'sha-256=5,', 'sha-256 = 5', 'sha-256=5 sha-512=4', '\u0000', 'sha-256=5, !']) t.equal(wantedDigest(field), undefined, JSON.stringify(field))
  t.equal(wantedDigest('sha-256=11, sha-512=1'), 'sha-512', 'one member that is wrong does not spoil the others')
})

t.test('digests are those of RFC 9530 (appendix B.1), whole or in a stream', async t => {
  const body = Buffer.from('{"hello": "world"}\n')
  const expected = { 'sha-256': 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:', 'sha-512': `sha-512=:${createHash('sha512').update(body).digest('base64')}:` }
  for (const algorithm of digestAlgorithms) {
    t.equal(await reprDigest(body, algorithm), expected[algorithm])
    t.equal(await reprDigest(Readable.from([body.subarray(0, 5), body.subarray(5)]), algorithm), expected[algorithm])
    t.same(parseDigests(expected[algorithm]).get(algorithm), createHash(algorithm.replace('-', '')).update(body).digest())
  }
  t.equal(await reprDigest(Buffer.alloc(0), 'sha-256'), 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:')
  t.equal(formatDigest('sha-256', new Uint8Array(2)), 'sha-256=:AAA=:')
  await t.rejects(reprDigest(new Readable({ read () { this.destroy(new Error('broken')) } }), 'sha-256'), { message: 'broken' })
})

t.test('a field of digests is read, and what is none is left out', async t => {
  const sha256 = formatDigest('sha-256', Buffer.alloc(32, 1))
  const sha512 = formatDigest('sha-512', Buffer.alloc(64, 2))
  t.same([...parseDigests(`${sha512}, ${sha256}, md5=:AAA=:`)], [['sha-256', Buffer.alloc(32, 1)], ['sha-512', Buffer.alloc(64, 2)]])
  t.same([...parseDigests([sha512, sha256]).keys()], ['sha-256', 'sha-512'])
  for (const field of [undefined, '', 'sha-256=:AAA=:', 'sha-256=5', 'sha-256=::', `${sha256},`, `sha-256=${'A'.repeat(43)}=`]) t.equal(parseDigests(field).size, 0, JSON.stringify(field) ?? 'none')
})
