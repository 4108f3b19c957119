import { randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import t, { type Test as Tap } from 'tap'
import { Upload } from 'tus-js-client'
import { RedisLink } from '../../../../lib/cache/redis-link.ts'
import { ask, scratch } from '../../../helpers/app.ts'
import { eventually } from '../../../helpers/process.ts'
import { noRedis, testRedis } from '../../../helpers/redis.ts'
import { metadataOf, part, PlainWriter, resumableServer, sha256, tus, type ResumableServer } from '../../../helpers/resumable.ts'

const skip = noRedis ?? false

/** Instances with one directory, one store of files, and one Redis. */
async function instances (t: Tap, url: string, count: number): Promise<ResumableServer[]> {
  const directory = `${await scratch(t)}/uploads`
  const writer = new PlainWriter(await scratch(t))
  return await Promise.all(Array.from({ length: count }, async () => {
    const redis = await RedisLink.open({ url })
    t.teardown(async () => await redis.close())
    return await resumableServer(t, { directory, writer, redis })
  }))
}

async function begun (served: ResumableServer, length: number): Promise<string> {
  const { headers: { location } } = await ask(served, '/m/in', { method: 'POST', headers: { ...tus, 'upload-length': String(length), 'upload-metadata': metadataOf({ filename: 'a.bin' }) } })
  return location as string
}

t.test('a client that comes to another instance gets its upload from the first', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = await instances(t, url, 2) as [ResumableServer, ResumableServer]
  const location = await begun(one, 10)
  const hanging = httpRequest({ host: '127.0.0.1', port: one.port, path: location, method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'content-length': '10' } })
  hanging.on('error', () => undefined)
  hanging.write('12345')
  const ended = new Promise<IncomingMessage>(resolve => hanging.once('response', resolve))
  t.ok(await eventually(async () => (await ask(another, location, { method: 'HEAD', headers: tus })).headers['upload-offset'] === '5'))
  t.match(await ask(another, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '5' }, body: '67890' }), { status: 204, headers: { 'upload-offset': '10' } })
  t.match(await ended, { statusCode: 204, headers: { 'upload-offset': '5' } })
  hanging.destroy()
  t.match(await ask(one, location, { method: 'HEAD', headers: tus }), { status: 200, headers: { 'upload-offset': '10', 'content-location': '/m/in/a.bin' } })
  t.equal(one.writer.hashOf('in/a.bin'), sha256(Buffer.from('1234567890')))
})

t.test('while Redis is away nobody uploads; when it is back, uploads go on', { skip }, async t => {
  const redis = await testRedis(t)
  const [one] = await instances(t, redis.url, 1) as [ResumableServer]
  const content = randomBytes(1_000_000)
  let parts = 0
  const statuses: number[] = []
  await new Promise<void>((resolve, reject) => {
    new Upload(content as never, {
      endpoint: `${one.url}/m/in`,
      chunkSize: 200_000,
      metadata: { filename: 'a.bin' },
      retryDelays: Array.from({ length: 200 }, () => 50),
      onAfterResponse: async (request, response) => {
        statuses.push(response.getStatus())
        if (request.getMethod() !== 'PATCH' || ++parts !== 2) return
        await redis.kill()
        setTimeout(() => void redis.restart(), 300)
      },
      onSuccess: () => resolve(),
      onError: reject
    }).start()
  })
  t.ok(statuses.includes(503), 'it was told')
  t.equal(one.writer.hashOf('in/a.bin'), sha256(content))
  t.same(one.writer.added, ['in/a.bin'])
})

t.test('of requests that all would finish an upload at once one does', { skip }, async t => {
  const { url } = await testRedis(t)
  const servers = await instances(t, url, 2)
  const location = await begun(servers[0] as ResumableServer, 3)
  const answers = await Promise.all(Array.from({ length: 8 }, async (_, at) => await ask(servers[at % 2] as ResumableServer, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '0' }, body: 'abc' })))
  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.includes(204), String(statuses))
  t.ok(statuses.every(status => [204, 409, 423].includes(status)), String(statuses))
  t.same(servers[0]?.writer.added, ['in/a.bin'])
  t.same(servers.flatMap(({ faults }) => faults), [])
})
