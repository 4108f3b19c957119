// The example of docs/uploads.md, and what an app of one's own does with the verbs that write.
import { readdir, readFile } from 'node:fs/promises'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { memorySource } from '../../lib/sources/memory.ts'
import { fileSource } from '../../lib/sources/file.ts'
import type { Source } from '../../lib/sources/source.ts'
import { openUploads, type FileEvent, type UploadsToSource } from '../../lib/uploads.ts'
import client from '../../plugins/client.ts'
import conditional from '../../plugins/conditional.ts'
import errors, { serverOptions } from '../../plugins/errors.ts'
import staticFiles from '../../plugins/static.ts'
import strategies from '../../plugins/strategies.ts'
import uploads from '../../plugins/uploads.ts'
import { ask, scratch, type Test } from '../helpers/app.ts'

async function host (t: Test, options: Partial<UploadsToSource> & { source: Source }): Promise<{ port: number, heard: FileEvent[] }> {
  const { mount, events, close } = await openUploads({ prefix: '/files', base: await scratch(t), ...options })
  const heard: FileEvent[] = []
  events.on(event => { heard.push(event) })
  const app = fastify({ ...serverOptions, logger: false })
  t.teardown(async () => { await app.close(); await close() })
  for (const plugin of [errors, client, strategies, conditional, staticFiles, uploads]) await app.register(plugin as never, {})
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.put('/files/*', async (_request: FastifyRequest, reply: FastifyReply) => await reply.writeFile(mount))
  app.delete('/files/*', async (_request: FastifyRequest, reply: FastifyReply) => await reply.removeFile(mount))
  app.get('/files/*', async (_request: FastifyRequest, reply: FastifyReply) => await reply.serve({ prefix: '/files', source: options.source }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as AddressInfo).port, heard }
}

t.test('an app writes to a source by routes of its own, and hears of it', async t => {
  const root = await scratch(t)
  const app = await host(t, { source: await fileSource({ root }), uploads: { directory: await scratch(t) } })
  t.match(await ask(app, '/files/a/b.txt', { method: 'PUT', body: 'hello' }), { status: 201, headers: { location: '/files/a/b.txt' } })
  t.equal((await ask(app, '/files/a/b.txt')).text, 'hello')
  t.equal(await readFile(join(root, 'a/b.txt'), 'utf8'), 'hello')
  t.equal((await ask(app, '/files/a/b.txt', { method: 'DELETE' })).status, 204)
  t.same(app.heard.map(({ type, path, mount, principal }) => ({ type, path, mount, principal })), [{ type: 'file.created', path: '/files/a/b.txt', mount: '/files', principal: '' }, { type: 'file.deleted', path: '/files/a/b.txt', mount: '/files', principal: '' }])
  t.same((await readdir(root)).filter(name => !name.startsWith('.')), [])
})

t.test('or to memory, within rules', async t => {
  const app = await host(t, { source: memorySource({ maxBytes: 100_000 }), writing: { maxBytes: 10, types: ['text/plain'] }, prefix: '/files/' })
  t.equal((await ask(app, '/files/a.txt', { method: 'PUT', body: 'hello' })).status, 201)
  t.equal((await ask(app, '/files/a.txt')).text, 'hello')
  t.equal((await ask(app, '/files/a.txt', { method: 'PUT', body: 'hello, hello' })).status, 413)
  t.equal((await ask(app, '/files/a.png', { method: 'PUT', body: 'hello' })).status, 415)
})

t.test('what cannot be written to, and options that are wrong, are refused at once', async t => {
  const base = await scratch(t)
  const readOnly: Source = { ...memorySource({ maxBytes: 1 }), writing: undefined }
  await t.rejects(openUploads({ prefix: '/files', source: readOnly, base }), { message: 'Expected a source whose files can be written' })
  await t.rejects(openUploads({ prefix: '/files', source: memorySource({ maxBytes: 1 }), base, writing: { maxBytes: -1 } }), { name: 'ConfigError', message: /mounts\[0\]\.writing\.maxBytes/ })
})
