import { createHmac } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { retryMs, MAX_RETRY_MS } from '../../../lib/events/courier.ts'
import { readWaitingName } from '../../../lib/events/message-file.ts'
import { retryAfterMs } from '../../../lib/events/webhooks.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { origin, tlsOrigin, type Origin, type OriginRequest } from '../../helpers/origin.ts'
import { eventually, freePort } from '../../helpers/process.ts'
import { sharedSecret } from '../../helpers/tokens.ts'
import { event, filesBelow, tell, telling, webhook } from './telling.ts'

/** A receiver that answers as it is told: by the number of the request. */
async function receiver (t: Test, answer: (response: ServerResponse, number: number) => unknown = response => response.writeHead(204).end()): Promise<Origin> {
  let number = 0
  return await origin(t, (_request, response) => answer(response, ++number), { gather: true })
}

const hooks = (server: { url: string }, rest = {}) => ({ search: webhook(`${server.url}/hooks?for=media`, rest) })

t.test('a webhook gets what happened by POST, signed as Standard Webhooks says, and nothing is left behind', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  const { id } = await tell(events, event({ size: 3 }), { type: 'file.replaced', size: 5, contentType: 'image/jpeg', entityTag: '"x"', sha256: 'ab' })
  await eventually(() => server.requests.length === 1 && filesBelow(directory).length === 0)
  const { method, url, headers, body } = server.requests[0] as OriginRequest
  t.match([method, url, headers['content-type']], ['POST', '/hooks?for=media', 'application/json'])
  t.same(JSON.parse(String(body)), { id, type: 'file.replaced', timestamp: '2026-11-05T12:00:00.000Z', data: { mount: '/photos', path: '/photos/cat.jpg', size: 5, contentType: 'image/jpeg', entityTag: '"x"', sha256: 'ab', principal: 'staff:ann' } })
  t.equal(headers['webhook-id'], id)
  const seconds = String(headers['webhook-timestamp'])
  t.match(seconds, /^\d{10}$/)
  t.equal(headers['webhook-signature'], `v1,${createHmac('sha256', sharedSecret).update(`${id}.${seconds}.${String(body)}`).digest('base64')}`)
  t.ok(await eventually(() => JSON.stringify(events.state()) === JSON.stringify({ 'webhooks.search': [{ waiting: 0, dead: 0, failure: undefined }] })))
})

t.test('what was dropped is told to nobody; confirm and drop count once', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  const dropped = await events.announce(event())
  t.equal(filesBelow(directory).length, 1, 'it is written down before it happens')
  await dropped.drop()
  await dropped.confirm({})
  await dropped.drop()
  const pending = await events.announce(event())
  await pending.confirm({})
  await pending.confirm({})
  await pending.drop()
  await eventually(() => filesBelow(directory).length === 0)
  t.equal(server.requests.length, 1)
})

t.test('a webhook is told of the types and mounts that it wants, each of several by its own secret', async t => {
  const [all, deletions, films] = [await receiver(t), await receiver(t), await receiver(t)]
  const { events, directory } = await telling(t, { webhooks: { all: webhook(all.url), deletions: webhook(deletions.url, { events: ['file.deleted'] }), films: webhook(films.url, { mounts: ['/films/'], events: ['file.replaced'], secret: `${sharedSecret}!` }) } })
  const film = event({ mount: '/films', path: '/films/a.mp4' })
  await tell(events)
  await tell(events, event({ type: 'file.deleted' }))
  await tell(events, film, { type: 'file.replaced' })
  await tell(events, event({ mount: '/films' }))
  await eventually(() => all.requests.length === 4 && filesBelow(directory).length === 0)
  t.match(deletions.requests.map(({ body }) => JSON.parse(String(body)) as object), [{ type: 'file.deleted' }])
  t.match(films.requests.map(({ body }) => JSON.parse(String(body)) as object), [{ id: film.id, type: 'file.replaced' }], 'which was announced as created')
  t.not(films.requests[0]?.headers['webhook-signature'], all.requests[2]?.headers['webhook-signature'])
})

t.test('what no webhook wants is not written down', async t => {
  const { events, directory } = await telling(t, { webhooks: { films: webhook('http://127.0.0.1:9', { mounts: ['/films'] }) } })
  const told: string[] = []
  events.on(({ id }) => told.push(id))
  const pending = await events.announce(event())
  t.same(filesBelow(directory), [])
  await pending.confirm({})
  t.equal(told.length, 1, 'but listeners hear of it')
})

t.test('one that turns out to be wanted by nobody is forgotten', async t => {
  const { events, directory } = await telling(t, { webhooks: { replaced: webhook('http://127.0.0.1:9', { events: ['file.replaced'] }) } })
  const pending = await events.announce(event())
  t.equal(filesBelow(directory).length, 1)
  await pending.confirm({})
  t.same(filesBelow(directory), [])
})

t.test('a webhook that is down is told once it is up', async t => {
  const port = await freePort()
  const { events, directory, lines } = await telling(t, { webhooks: hooks({ url: `http://127.0.0.1:${port}` }) })
  const { id } = await tell(events)
  await eventually(() => events.state()['webhooks.search']?.[0]?.failure === 'refused')
  const got: string[] = []
  const server: Server = createServer((request, response) => {
    got.push(String(request.headers['webhook-id']))
    response.writeHead(200).end()
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await eventually(() => filesBelow(directory).length === 0)
  t.same(got, [id])
  t.match(lines, [{ level: 'warn', receiver: 'webhooks.search', reason: 'refused' }, { level: 'info', message: 'Events are delivered again' }], 'each told once')
})

t.test('what fails is sent again with the same id and a new signature, until its attempts are used up', async t => {
  const server = await receiver(t, (response, number) => response.writeHead(number < 4 ? 500 : 200).end())
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  const { id } = await tell(events)
  await eventually(() => filesBelow(directory).length === 0)
  t.same(server.requests.map(({ headers }) => headers['webhook-id']), [id, id, id, id])

  const bad = await receiver(t, response => response.writeHead(503).end())
  const other = await telling(t, { webhooks: hooks(bad, { attempts: 3 }) })
  const { id: lost } = await tell(other.events)
  await eventually(() => other.events.state()['webhooks.search']?.[0]?.waiting === 0)
  t.match(filesBelow(other.directory), [new RegExp(`^dead/webhooks\\.search/\\d{15}\\.${lost}$`)])
  t.equal(bad.requests.length, 3)
  t.match(other.lines.at(-1), { level: 'warn', receiver: 'webhooks.search', event: lost, attempts: 3, reason: 'answered 503' })
  t.match(other.events.state(), { 'webhooks.search': [{ waiting: 0, dead: 1, failure: 'answered 503' }] })
})

t.test('410 is final', async t => {
  const server = await receiver(t, response => response.writeHead(410).end())
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  await tell(events)
  await eventually(() => filesBelow(directory)[0]?.startsWith('dead/') === true)
  t.equal(server.requests.length, 1)
})

t.test('no redirect is followed', async t => {
  const elsewhere = await receiver(t)
  const server = await receiver(t, response => response.writeHead(307, { location: elsewhere.url }).end())
  const { events, directory } = await telling(t, { webhooks: hooks(server, { attempts: 2 }) })
  await tell(events)
  await eventually(() => filesBelow(directory)[0]?.startsWith('dead/') === true)
  t.equal(server.requests.length, 2)
  t.equal(elsewhere.requests.length, 0)
})

t.test('what is answered beside the status is of no matter: garbage, a body without an end, a body cut off', async t => {
  const behaviours: Array<(response: ServerResponse) => unknown> = [
    response => response.end('<html>\0not JSON'),
    response => {
      const flood = (): void => { while (!response.destroyed && response.write(Buffer.alloc(65_536))); }
      response.on('drain', flood)
      flood()
    },
    response => { response.write('a', () => response.socket?.resetAndDestroy()) },
    response => { response.write('a') } // and nothing more
  ]
  const server = await receiver(t, (response, number) => behaviours[number - 1]?.(response))
  const { events, directory } = await telling(t, { webhooks: hooks(server, { timeoutMs: 300 }) })
  for (const _ of behaviours) {
    await tell(events)
    await eventually(() => filesBelow(directory).length === 0)
  }
  t.equal(server.requests.length, behaviours.length)
})

t.test('one that says nothing, or no HTTP, has its time, and is tried again', async t => {
  const server = await receiver(t, (response, number) => {
    if (number === 1) return
    if (number === 2) return response.socket?.end('SSH-2.0-x\r\n\r\n')
    if (number === 3) return response.writeProcessing()
    if (number === 4) return response.socket?.resetAndDestroy()
    response.end()
  })
  const { events, directory } = await telling(t, { webhooks: hooks(server, { timeoutMs: 100 }) })
  await tell(events)
  await eventually(() => filesBelow(directory).length === 0)
  t.equal(server.requests.length, 5)
})

t.test('a webhook that answers nothing holds up no other, and no upload', async t => {
  const silent = await receiver(t, () => undefined)
  const well = await receiver(t)
  const { events } = await telling(t, { webhooks: { silent: webhook(silent.url, { timeoutMs: 60_000 }), well: webhook(well.url) } })
  for (let n = 0; n < 20; n++) await tell(events, event({ path: `/photos/${n}` }))
  await eventually(() => well.requests.length === 20)
  await eventually(() => silent.requests.length === 4)
  t.equal(events.state()['webhooks.silent']?.[0]?.waiting, 20)
})

t.test('one message about a path is on its way at a time, in order, while none fails', async t => {
  const held: ServerResponse[] = []
  const server = await receiver(t, response => held.push(response))
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  const first = [await tell(events), await tell(events, event({ type: 'file.deleted' })), await tell(events)]
  await tell(events, event({ path: '/photos/dog.jpg' }))
  await eventually(() => held.length === 2)
  t.same(server.requests.map(({ body }) => (JSON.parse(String(body)) as { data: { path: string } }).data.path), ['/photos/cat.jpg', '/photos/dog.jpg'])
  for (let n = 0; n < 4; n++) {
    await eventually(() => held.length > n)
    held[n]?.end()
  }
  await eventually(() => filesBelow(directory).length === 0)
  t.same(server.requests.map(({ headers }) => headers['webhook-id']).filter(id => first.some(each => each.id === id)), first.map(({ id }) => id))
})

t.test('a message that the receiver does not like is overtaken by the others', async t => {
  const server = await origin(t, (_request, response, { body }) => response.writeHead(String(body).includes('poison') ? 500 : 204).end(), { gather: true })
  const { events } = await telling(t, { webhooks: hooks(server, { firstRetryMs: 60_000 }) })
  await tell(events, event({ path: '/photos/poison' }))
  await tell(events, event({ path: '/photos/other' }))
  await eventually(() => server.requests.length === 2)
  await eventually(() => events.state()['webhooks.search']?.[0]?.waiting === 1)
  t.pass('and waits')
})

t.test('Retry-After holds for everything that waits for the receiver, and for no other', async t => {
  const limited = await receiver(t, (response, number) => number === 1 ? response.writeHead(429, { 'retry-after': '86400' }).end() : response.end())
  const well = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: { limited: webhook(limited.url), well: webhook(well.url) } })
  const { id } = await tell(events)
  await eventually(() => events.state()['webhooks.limited']?.[0]?.failure === 'answered 429')
  await tell(events, event({ path: '/photos/other' }))
  await eventually(() => well.requests.length === 2)
  t.equal(limited.requests.length, 1)
  const [, , , , name = ''] = filesBelow(directory).find(each => each.endsWith(id))?.split('/') ?? []
  const waitMs = (readWaitingName(name)?.dueMs ?? 0) - Date.now()
  t.ok(waitMs > MAX_RETRY_MS - 60_000 && waitMs <= MAX_RETRY_MS, 'an hour at most')
})

t.test('a pause that the receiver asked for ends', async t => {
  const server = await receiver(t, (response, number) => number === 1 ? response.writeHead(503, { 'retry-after': '1' }).end() : response.end())
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  await tell(events)
  await eventually(() => filesBelow(directory).length === 0)
  t.equal(server.requests.length, 2)
})

t.test('Retry-After is seconds or a date, and anything else is nothing', t => {
  t.equal(retryAfterMs('120'), 120_000)
  t.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:00 GMT'), 0)
  t.ok(Math.abs((retryAfterMs(new Date(Date.now() + 60_000).toUTCString()) ?? 0) - 60_000) < 5000)
  for (const field of [undefined, '', '-1', '1.5', 'soon', '1e9', ['1', '2']]) t.equal(retryAfterMs(field), undefined, String(field))
  t.end()
})

t.test('times between tries double, not all alike, up to an hour', t => {
  for (const [failures, least] of [[1, 1000], [2, 2000], [5, 16_000]] as const) {
    const times = Array.from({ length: 50 }, () => retryMs(failures, 1000))
    t.ok(times.every(ms => ms >= least && ms <= least * 1.25))
    t.ok(new Set(times).size > 1)
  }
  t.equal(retryMs(100, 1000), MAX_RETRY_MS)
  t.end()
})

t.test('certificates are verified, by the authorities that are named', { skip: noOpenssl ?? false }, async t => {
  const server = await tlsOrigin(t, (_request, response) => response.end())
  const { events, directory } = await telling(t, { webhooks: { trusted: webhook(server.url, { ca: certificate('ca').certFile }) } })
  await tell(events)
  await eventually(() => filesBelow(directory).length === 0)
  t.equal(server.requests.length, 1)
  const strict = await telling(t, { webhooks: { trusted: webhook(server.url) } })
  await tell(strict.events)
  await eventually(() => strict.events.state()['webhooks.trusted']?.[0]?.failure === 'tls')
  t.equal(server.requests.length, 1, 'nothing was sent')
})

t.test('a URL without TLS is told of at the start, unless it does not leave the machine', async t => {
  const warned = async (url: string): Promise<boolean> => (await telling(t, { webhooks: { a: webhook(url) } })).lines.some(({ message }) => message.includes('not encrypted'))
  for (const url of ['http://example.com/', 'http://192.0.2.1/', 'http://127.evil.example/']) t.equal(await warned(url), true, url)
  for (const url of ['https://example.com/', 'http://localhost:1/', 'http://127.0.0.1/', 'http://[::1]/', 'http://a.localhost/']) t.equal(await warned(url), false, url)
})

t.test('what is on its way at the end has a moment, and what is not answered then is sent at the next start', async t => {
  const held: ServerResponse[] = []
  const server = await receiver(t, (response, number) => number > 2 ? response.end() : held.push(response))
  const { events, directory } = await telling(t, { webhooks: hooks(server) })
  await tell(events)
  await tell(events, event({ path: '/photos/other' }))
  await eventually(() => held.length === 2)
  const closed = events.close()
  held[0]?.end()
  await closed
  t.equal(filesBelow(directory).length, 1)
  t.match(filesBelow(directory)[0], /^outboxes\/.*\.0\.[0-9a-f]{8}\./, 'which counts as no attempt')
  await telling(t, { directory, webhooks: hooks(server) })
  await eventually(() => server.requests.length === 3 && filesBelow(directory).length === 0)
})
