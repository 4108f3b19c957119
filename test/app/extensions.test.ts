import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { ask, scratch, serveMedia } from '../helpers/app.ts'

t.test('a configuration registers plugins of others at named places of a mount, from its list alone', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const module = join(await scratch(t), 'mark.mjs')
  await writeFile(module, 'export default async function mark (app, { field }) { app.addHook(\'onSend\', function markAnswer (_request, reply, payload, done) { reply.header(field, \'module\'); done(null, payload) }) }\n')
  const order: string[] = []
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: { here: { driver: 'ip', allow: ['127.0.0.0/8'] } },
    plugins: { mark: { module, options: { field: 'x-mark' } } },
    mounts: [{ prefix: '/private', source: 'files', access: { read: 'here' }, plugins: [{ use: 'late' }, { use: 'mark', at: 'onSend' }, { use: 'early', at: 'beforeAuth' }] }, { source: 'files' }],
    extensions: {
      early: async (app: FastifyInstance) => { app.addHook('onRequest', function tellEarly (request, _reply, done) { order.push(`early ${String(request.principal?.strategy)}`); done() }) },
      late: async (app: FastifyInstance) => { app.addHook('onRequest', function tellLate (request, _reply, done) { order.push(`late ${String(request.principal?.strategy)}`); done() }) }
    }
  })
  t.match(await ask(served, '/private/a.txt'), { status: 200, headers: { 'x-mark': 'module' } })
  t.same(order, ['early undefined', 'late here'])
  t.match(await ask(served, '/a.txt'), { status: 200, headers: { 'x-mark': undefined } })
  t.equal(order.length, 2, 'of that mount alone')
  t.match(served.app.printRoutes({ includeHooks: true, method: 'GET' }), /"tellEarly\(\)","authenticate\(\)","tellLate\(\)"/)
})

t.test('what is not on the list is refused by name, before the first request', async t => {
  const root = await scratch(t)
  const mount = { source: 'files', plugins: [{ use: 'audti' }] }
  await t.rejects(serveMedia(t, { sources: { files: { driver: 'file', root } }, mounts: [mount], extensions: { audit: async () => {} } }), { message: /mounts\[0\]\.plugins\[0\]\.use: Expected the name of a listed plugin but received "audti"\. Did you mean audit\?/ })
})
