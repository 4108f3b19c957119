import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { decodableEncodings, decodersFor } from '../../../../lib/upstream/rewrite/content-coding.ts'

t.test('of Accept-Encoding is left what can be decoded', async t => {
  const rows: Array<[string, string]> = [
    ['gzip, deflate, br, zstd', 'gzip, br'],
    ['gzip;q=0.5, br;q=1.0, *;q=0.1', 'gzip;q=0.5, br'],
    ['x-gzip', 'gzip'],
    ['br;q=0.12345, identity;q=0', 'br;q=0.123, identity;q=0'],
    ['identity', 'identity'],
    ['zstd', 'identity'],
    ['*', 'identity'],
    ['', 'identity'],
    ['compress;q=1, dcb, __proto__, constructor', 'identity']
  ]
  for (const [field, expected] of rows) t.equal(decodableEncodings(field), expected, field)
})

async function decoded (field: string | undefined, bytes: Buffer): Promise<string> {
  let body: Readable = Readable.from([bytes])
  for (const make of decodersFor(field) ?? []) body = body.pipe(make())
  return Buffer.concat(await body.toArray()).toString()
}

t.test('what was applied last is undone first', async t => {
  const text = Buffer.from('some text')
  t.equal(await decoded(undefined, text), 'some text')
  t.equal(await decoded('identity', text), 'some text')
  t.equal(await decoded('gzip', gzipSync(text)), 'some text')
  t.equal(await decoded(' X-GZIP ', gzipSync(text)), 'some text')
  t.equal(await decoded('gzip', Buffer.concat([gzipSync('some '), gzipSync('text')])), 'some text', 'in several members')
  t.equal(await decoded('deflate', deflateSync(text)), 'some text')
  t.equal(await decoded('br', brotliCompressSync(text)), 'some text')
  t.equal(await decoded('gzip, br', brotliCompressSync(gzipSync(text))), 'some text')
  t.equal(await decoded('gzip, , identity', gzipSync(text)), 'some text')
})

t.test('what is not known, or piled up, is not decoded', async t => {
  for (const field of ['zstd', 'compress', 'gzip, zstd', 'aes128gcm', '*', 'gzip;q=1', '__proto__', 'gzip, gzip, gzip']) t.equal(decodersFor(field), undefined, field)
})
