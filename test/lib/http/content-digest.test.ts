import { createHash } from 'node:crypto'
import t from 'tap'
import { contentDigest } from '../../../lib/http/content-digest.ts'

const content = Buffer.from('{"hello": "world"}\n')
const digest = (algorithm: string, of: Buffer = content): string => createHash(algorithm).update(of).digest('base64')

function verified (fields: Parameters<typeof contentDigest>[0], chunks: readonly Buffer[] = [content]): ReturnType<typeof contentDigest> {
  const check = contentDigest(fields)
  for (const chunk of chunks) check?.update(chunk)
  check?.verify()
  return check
}

t.test('the digests of RFC 9530 hold for their content', t => {
  const check = verified({ 'content-digest': 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:' })
  t.equal(check?.sha256, createHash('sha256').update(content).digest('hex'), 'and tell the hash, so that it is not made twice')
  t.ok(verified({ 'content-digest': 'sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:' }))
  t.ok(verified({ 'repr-digest': `sha-256=:${digest('sha256')}:` }), 'Repr-Digest of a whole representation means the same')
  t.ok(verified({ 'content-digest': `sha-256=:${digest('sha256')}:` }, [content.subarray(0, 5), content.subarray(5, 5), content.subarray(5)]), 'in chunks')
  t.ok(verified({ 'content-digest': `sha-256=:${digest('sha256', Buffer.alloc(0))}:` }, []), 'of nothing')
  t.end()
})

t.test('a digest of something else is refused, whichever of several it is', t => {
  const [right, wrong] = [`sha-256=:${digest('sha256')}:`, `sha-512=:${digest('sha512', Buffer.from('x'))}:`]
  const fields: Parameters<typeof contentDigest>[0][] = [
    { 'content-digest': wrong },
    { 'content-digest': `${right}, ${wrong}` },
    { 'content-digest': [right, wrong] },
    { 'content-digest': right, 'repr-digest': wrong },
    { 'content-digest': right, 'repr-digest': `sha-256=:${digest('sha256', Buffer.from('x'))}:` }
  ]
  for (const field of fields) t.throws(() => verified(field), { code: 'bad-digest', statusCode: 400 }, JSON.stringify(field))
  t.throws(() => verified({ 'content-digest': right }, [content.subarray(1)]), { code: 'bad-digest' }, 'content that lost its first byte')
  t.throws(() => verified({ 'content-digest': right }, []), { code: 'bad-digest' }, 'no content')
  t.end()
})

t.test('a digest of the wrong length is refused before anything is read', t => {
  for (const bytes of ['', 'AAAA', digest('sha512'), 'a===']) t.throws(() => contentDigest({ 'content-digest': `sha-256=:${bytes}:` }), { name: 'MediaError', message: /length|bytes|dictionary/ }, bytes)
  t.end()
})

t.test('a malformed field is refused as that', t => {
  for (const field of ['sha-256', 'sha-256=1', 'sha-256="abc"', 'sha-256=:abc', '=:', 'SHA-256=:AAAA:', 'sha-256=:AAAA:,', '\0', 'sha-256=(:AAAA:)']) {
    t.throws(() => contentDigest({ 'content-digest': field }), { code: 'bad-request' }, field)
  }
  t.end()
})

t.test('what proves nothing is ignored, beside what does', t => {
  for (const field of ['md5=:AAAA:', 'sha=:AAAA:, unixsum=1', 'id-sha-256=:AAAA:', 'adler=:AAAA:;x=1', '']) t.equal(contentDigest({ 'content-digest': field }), undefined, field)
  t.equal(contentDigest({}), undefined)
  t.ok(verified({ 'content-digest': `md5=:AAAA:, sha-256=:${digest('sha256')}:` }))
  t.equal(verified({ 'content-digest': `sha-512=:${digest('sha512')}:` })?.sha256, undefined, 'and what was not asked for is not told')
  t.end()
})
