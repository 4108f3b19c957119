import t from 'tap'
import errors from '../../plugins/errors.ts'
import jsonEtag from '../../plugins/json-etag.ts'
import { ask, serve } from '../helpers/app.ts'

t.test('a 200 to GET or HEAD is tagged, and its preconditions are evaluated as for files', async t => {
  const served = await serve(t, async app => {
    await app.register(errors)
    await app.register(jsonEtag)
    app.get('/', async () => ({ hello: 'world' }))
    app.post('/', async () => ({ hello: 'world' }))
    app.get('/created', async (_request, reply) => await reply.code(201).send({ hello: 'world' }))
    app.get('/crash', async () => { throw new Error('x') })
    app.get('/own', async (_request, reply) => { reply.header('etag', '"own"'); return { hello: 'world' } })
  })
  const { headers: { etag } } = await ask(served, '/')
  t.match(etag, /^W\/"[^"]+"$/)
  t.equal((await ask(served, '/', { method: 'HEAD' })).headers.etag, etag)
  for (const method of ['GET', 'HEAD']) {
    t.match(await ask(served, '/', { method, headers: { 'if-none-match': `"x", ${etag}` } }), { status: 304, text: '', headers: { 'content-type': undefined } }, method)
    t.equal((await ask(served, '/', { method, headers: { 'if-match': '"x"' } })).status, 412, method)
  }
  t.equal((await ask(served, '/', { headers: { 'if-none-match': '"x"' } })).status, 200)
  t.match(await ask(served, '/own', { headers: { 'if-none-match': '"own"' } }), { status: 304, headers: { etag: '"own"' } })
  t.match(await ask(served, '/', { method: 'POST', headers: { 'if-none-match': '*' } }), { status: 200, headers: { etag: undefined } })
  t.match(await ask(served, '/created', { headers: { 'if-none-match': '*' } }), { status: 201, headers: { etag: undefined } })
  for (let n = 0; n < 2; n++) t.match(await ask(served, '/crash', { headers: { 'if-none-match': '*' } }), { status: 500, headers: { etag: undefined } })
})
