import t from 'tap'
import { announcesTrailers, answerFields, askedHost, passableTrailers, requestFields } from '../../../lib/upstream/passed-fields.ts'

t.test('of a request goes on what is end to end', t => {
  const headers = { ':method': 'GET', ':path': '/', host: 'a', expect: '100-continue', trailer: 'X', te: 'trailers', connection: 'x-gone', 'x-gone': '1', 'content-length': '5', 'x-kept': '1', cookie: 'a=1', upgrade: 'h2c' }
  t.same(requestFields(headers, true), { 'content-length': '5', 'x-kept': '1', cookie: 'a=1' })
  t.same(requestFields(headers, false), { 'x-kept': '1', cookie: 'a=1' }, 'no length without a body')
  t.same(requestFields({ 'content-length': '0' }, false), { 'content-length': '0' })
  t.end()
})

t.test('the host is that of the target, where it has one', t => {
  t.equal(askedHost('/a', { host: 'h' }), 'h')
  t.equal(askedHost('http://t:1/a', { host: 'h' }), 't:1')
  t.equal(askedHost('/http://t/a', { host: 'h' }), 'h')
  t.equal(askedHost('/a', { ':authority': 'two' }), 'two')
  t.equal(askedHost('/a', {}), undefined)
  t.end()
})

t.test('trailer fields that would change the message are none', t => {
  t.equal(passableTrailers(undefined), undefined)
  t.equal(passableTrailers({}), undefined)
  t.equal(passableTrailers({ 'content-length': '1', 'transfer-encoding': 'x', host: 'x', 'set-cookie': 'x', authorization: 'x', 'proxy-anything': 'x', 'if-match': 'x', 'x-forwarded-for': 'x', trailer: 'x', 'content-type': 'x' }), undefined)
  t.same(passableTrailers({ 'x-sum': 'a', etag: '"x"', 'repr-digest': 'b', empty: undefined }), { 'x-sum': 'a', etag: '"x"', 'repr-digest': 'b' })
  t.notOk(announcesTrailers({ trailer: 'X' }))
  t.notOk(announcesTrailers({ 'transfer-encoding': 'chunked' }))
  t.ok(announcesTrailers({ trailer: 'X', 'transfer-encoding': 'chunked' }))
  t.end()
})

t.test('an answer keeps its fields', t => {
  const fields = { vary: ['accept', 'Origin'], trailer: 'X', 'access-control-allow-origin': '*', 'timing-allow-origin': '*', 'x-a': ['1', '2'] }
  const view = { present: {}, ownsCors: false, mayTrail: true }
  t.same(answerFields(fields, view), { ...fields, via: '1.1 fastify-media' })
  t.same(answerFields(fields, { present: { vary: 'Origin' }, ownsCors: true, mayTrail: false }), { vary: 'Origin, accept', 'x-a': ['1', '2'], via: '1.1 fastify-media' })
  t.equal(answerFields({ vary: '*' }, { ...view, present: { vary: 'Origin' } }).vary, 'Origin, *')
  t.equal(fields.trailer, 'X', 'what is given is left as it is')
  t.end()
})
