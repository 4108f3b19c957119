import t from 'tap'
import { advice, failureOfStatus, failures, MediaError, problem, type FailureCode } from '../../lib/errors.ts'

const codes = Object.entries(failures)

t.test('every code has a client or server status, public words and advice', async t => {
  for (const [code, [status, title]] of codes) {
    t.match(code, /^[a-z]+(?:-[a-z]+)*$/)
    t.ok(status >= 400 && status <= 599, `${code} is ${status}`)
    t.match(title, /^[A-Z][^\r\n/\\]+[^.\s]$/, `${code}: ${title}`)
  }
  t.strictSame(Object.keys(advice), Object.keys(failures))
  t.notOk(Object.values(advice).some(text => text.trim() === ''))
})

t.test('a failure has the status of its code, and its title for the log', async t => {
  const error = new MediaError('not-found')
  t.match(error, { name: 'MediaError', code: 'not-found', statusCode: 404, message: 'Nothing is here' })
  t.strictSame([error.detail, error.context, error.headers, Object.hasOwn(error, 'cause')], [undefined, undefined, undefined, false])
  t.ok(error instanceof Error)
})

t.test('a failure keeps what is public apart from what is logged', async t => {
  const cause = new Error('EACCES: /srv/secret')
  const error = new MediaError('forbidden', { detail: 'Not this one', context: { path: '/srv/secret' }, headers: { 'x-a': 'b' }, cause })
  t.match(error, { statusCode: 403, message: 'Not this one', detail: 'Not this one', context: { path: '/srv/secret' }, headers: { 'x-a': 'b' } })
  t.equal(error.cause, cause)
  t.strictSame(problem(error.code, { detail: error.detail, requestId: 'r-1' }), { type: 'urn:fastify-media:forbidden', title: 'Access is refused', status: 403, code: 'forbidden', detail: 'Not this one', requestId: 'r-1' })
})

t.test('a status stands for the general code of that status', async t => {
  const rows: Array<[number, FailureCode]> = [
    [400, 'bad-request'], [401, 'unauthorized'], [403, 'forbidden'], [404, 'not-found'], [405, 'method-not-allowed'], [408, 'request-timeout'], [412, 'precondition-failed'], [413, 'body-too-large'], [414, 'uri-too-long'],
    [415, 'unsupported-media-type'], [416, 'range-not-satisfiable'], [429, 'too-many-requests'], [431, 'headers-too-large'], [500, 'internal'], [501, 'not-implemented'], [503, 'unavailable']
  ]
  for (const [status, code] of rows) t.equal(failureOfStatus(status), code, String(status))
})

t.test('an unknown client status is the client\'s fault, any other number ours', async t => {
  for (const status of [402, 418, 499]) t.equal(failureOfStatus(status), 'client-error', String(status))
  for (const status of [508, 599]) t.equal(failureOfStatus(status), 'server-error', String(status))
  t.match(problem('client-error', { status: 410 }), { status: 410, title: 'Gone' })
  t.match(problem('client-error', { status: 499 }), { status: 499, title: 'The request cannot be answered' })
  for (const status of [0, 200, 304, 399, 600, Number.NaN, Number.POSITIVE_INFINITY]) t.equal(failureOfStatus(status), 'internal', String(status))
})

t.test('a problem document holds no member without a value (RFC 9457 §3.1)', async t => {
  t.strictSame(problem('internal'), { type: 'urn:fastify-media:internal', title: 'The server failed', status: 500, code: 'internal' })
  t.strictSame(problem('internal', { detail: undefined, requestId: undefined }), { type: 'urn:fastify-media:internal', title: 'The server failed', status: 500, code: 'internal' })
  t.strictSame(Object.keys(problem('bad-path', { requestId: 'r' })), ['type', 'title', 'status', 'code', 'requestId'])
})
