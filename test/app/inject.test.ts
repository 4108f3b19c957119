import t from 'tap'
import fastify from 'fastify'
import media from '../../app.ts'
import { oneMount, scratch } from '../helpers/app.ts'

t.test('a host app\'s inject() gets whole files, parts and heads, small and large', async t => {
  const large = Buffer.alloc(1_500_000, 'abcdefghij')
  const app = fastify()
  t.teardown(async () => await app.close())
  app.register(media, oneMount(await scratch(t, { 'a.txt': 'meow', 'large.bin': large }), { listing: true }))
  t.equal((await app.inject('/a.txt')).body, 'meow')
  const whole = await app.inject('/large.bin')
  t.ok(whole.rawPayload.equals(large))
  t.ok((await app.inject({ url: '/large.bin', headers: { range: 'bytes=5-1000004' } })).rawPayload.equals(large.subarray(5, 1_000_005)))
  t.match(await app.inject({ url: '/large.bin', headers: { range: 'bytes=0-1,9-10' } }), { statusCode: 206, headers: { 'content-type': /^multipart/ } })
  t.match(await app.inject({ url: '/large.bin', method: 'HEAD' }), { statusCode: 200, body: '', headers: { 'content-length': '1500000' } })
  t.equal((await app.inject({ url: '/large.bin', headers: { 'if-none-match': whole.headers.etag as string } })).statusCode, 304)
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal((await app.inject('/none')).statusCode, 404)
})
