// A client that waits with its body hears first whether it may send it.
import t from 'tap'
import { raw, serve, type Served, type Test } from '../helpers/app.ts'
import expectation from '../../plugins/expectation.ts'

async function served (test: Test): Promise<Served> {
  return await serve(test, async app => {
    await app.register(expectation)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    const onRequest = (request: { headers: Record<string, unknown> }, _reply: unknown, done: (error?: Error) => void): void => done(request.headers['x-key'] === undefined ? Object.assign(new Error('no'), { statusCode: 401 }) : undefined)
    app.put('/', { onRequest }, async ({ body }) => `got ${String(body)}`)
    app.get('/', async () => 'read')
    await app.register(async inner => {
      inner.removeAllContentTypeParsers()
      inner.addContentTypeParser('*', (_request, _payload, done) => done(null)) // as where no body is ever read
      inner.post('/', { config: { refused: true } }, async (_request, reply) => await reply.code(405).send('none'))
    })
  })
}

const asked = (method: string, more = ''): string => `${method} / HTTP/1.1\r\nHost: x\r\n${more}Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`

t.test('who is let in is told to go on, and who is not sends nothing', async t => {
  const server = await served(t)
  t.match(await raw(server, `${asked('PUT', 'X-Key: 1\r\n')}hello`), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*got hello$/)
  t.match(await raw(server, asked('PUT'), 500), /^HTTP\/1\.1 401 /)
  t.match(await raw(server, asked('POST'), 500), /^HTTP\/1\.1 405 /, 'a method that there is not')
  t.match(await raw(server, asked('GET'), 500), /^HTTP\/1\.1 200 /, 'nor is anything waited for that is not read')
  t.match(await raw(server, 'PUT / HTTP/1.1\r\nHost: x\r\nX-Key: 1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'), /^HTTP\/1\.1 200 /, 'who does not wait is told nothing')
})
