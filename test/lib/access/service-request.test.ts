import { once } from 'node:events'
import t from 'tap'
import { ServiceClient, ServiceError, type ServiceOptions } from '../../../lib/access/service-request.ts'
import type { Test } from '../../helpers/app.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { answer, bytes, content, endless, endlessInterim, finBeforeHead, inTurn, interim, origin, rawOrigin, redirectTo, resetMidBody, silent, slowBody, stall, tlsOrigin } from '../../helpers/origin.ts'

/** Long enough for every answer that comes at all. */
const LONG_MS = 20_000

function client (t: Test, url: string, options: Partial<ServiceOptions> = {}): ServiceClient {
  const made = new ServiceClient({ url, connections: 4, maxWaiting: 4, timeoutMs: LONG_MS, maxBytes: 1024, ...options })
  t.teardown(async () => await made.close())
  return made
}

const get = { method: 'GET', headers: {} }

/** Why no answer came. */
async function reason (asked: Promise<unknown>): Promise<string> {
  return await asked.then(() => 'an answer', (error: unknown) => error instanceof ServiceError ? error.reason : String(error))
}

t.test('a service is asked what is asked, and its answer comes whole', async t => {
  const service = await origin(t, (request, response, { body }) => {
    response.setHeader('X-Told', [request.method ?? '', request.url ?? '', request.headers['x-who'] as string])
    response.end(body)
  }, { gather: true })
  const told = await client(t, `${service.url}/v1/allow?pretty`).ask({ method: 'POST', headers: { 'x-who': 'me' }, body: Buffer.from('{"input":1}') })
  t.equal(told.status, 200)
  t.same(told.headers['x-told'], ['POST', '/v1/allow?pretty', 'me'])
  t.equal(told.body.toString(), '{"input":1}')
  t.equal(told.headers.connection, undefined, 'fields of the connection are not passed on')
  const other = await client(t, `${service.url}/v1/allow`).ask({ ...get, headers: { 'x-who': 'me' }, path: '/other?x=1' })
  t.same(other.headers['x-told'], ['GET', '/other?x=1', 'me'])
})

t.test('every status is an answer, and no redirect is followed', async t => {
  const elsewhere = await rawOrigin(t, answer('stolen'))
  const service = await rawOrigin(t, inTurn(redirectTo(elsewhere.url), answer('no', {}, 403), answer('broken', {}, 500)))
  const asked = client(t, service.url)
  t.equal((await asked.ask({ ...get, headers: { authorization: 'Bearer x' } })).status, 302)
  t.equal((await asked.ask(get)).status, 403)
  t.equal((await asked.ask(get)).status, 500)
  t.equal(elsewhere.opened, 0)
})

t.test('interim answers decide nothing', async t => {
  const service = await rawOrigin(t, interim([{ status: 103 }, { status: 102 }], answer('ok')))
  t.equal((await client(t, service.url).ask(get)).body.toString(), 'ok')
})

t.test('the time counts for the whole exchange: the head, the body, and what comes in between', async t => {
  const scripts = { silent: silent(), stall: stall(content(500), 100), slow: slowBody(content(1000), { everyMs: 20 }) }
  for (const [name, script] of Object.entries(scripts)) {
    const service = await rawOrigin(t, script)
    t.equal(await reason(client(t, service.url, { timeoutMs: 100 }).ask(get)), 'timed out', name)
  }
})

t.test('a service that ends its connection, or speaks no HTTP, has not answered', async t => {
  const scripts = { 'connection ended': [finBeforeHead(), resetMidBody(content(500), 100), bytes('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', 'end')], 'no valid HTTP': [bytes('SSH-2.0-OpenSSH\r\n\r\n', 'end'), endlessInterim()] }
  for (const [expected, list] of Object.entries(scripts)) {
    for (const script of list) {
      const service = await rawOrigin(t, script)
      t.equal(await reason(client(t, service.url).ask(get)), expected)
    }
  }
})

t.test('a connection that the service ended is not used again', async t => {
  const service = await rawOrigin(t, bytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'end'))
  const asked = client(t, service.url)
  for (let time = 0; time < 3; time++) {
    const closed = once(service.events, 'closed')
    t.equal((await asked.ask(get)).body.toString(), 'ok')
    await closed
  }
  t.equal(service.opened, 3)
})

t.test('what cannot be reached or sent is told apart', async t => {
  const service = await rawOrigin(t, answer())
  await service.close()
  t.equal(await reason(client(t, service.url).ask(get)), 'refused')
  t.equal(await reason(client(t, 'http://nowhere.invalid').ask(get)), 'name not found')
  t.equal(await reason(client(t, service.url).ask({ ...get, headers: { 'x-a': 'b\r\nx-c: d' } })), 'request cannot be sent')
})

t.test('a larger answer than allowed is none, however its length is told', async t => {
  const service = await rawOrigin(t, inTurn(answer('x'.repeat(1024)), answer('x'.repeat(1025)), endless()))
  const asked = client(t, service.url)
  t.equal((await asked.ask(get)).body.length, 1024)
  t.equal(await reason(asked.ask(get)), 'answer too large')
  t.equal(await reason(asked.ask(get)), 'answer too large')
})

t.test('requests wait for a connection, so many at most, and no longer than they have time', async t => {
  const service = await rawOrigin(t, inTurn(async ({ socket }) => { await once(service.events, 'go'); socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') }, answer('second'), silent()))
  const asked = client(t, service.url, { connections: 1, maxWaiting: 1 })
  const first = asked.ask(get)
  const second = asked.ask(get)
  t.equal(await reason(asked.ask(get)), 'too many waiting')
  while (service.requests.length === 0) await once(service.events, 'request')
  service.events.emit('go')
  t.equal((await first).status, 200)
  t.equal((await second).body.toString(), 'second')
  t.equal(service.opened, 1)

  const hasty = client(t, service.url, { connections: 1, maxWaiting: 1, timeoutMs: 100 })
  t.same(await Promise.all([reason(hasty.ask(get)), reason(hasty.ask(get))]), ['timed out', 'timed out'], 'the second in the line')
  t.same(await Promise.all([reason(hasty.ask(get)), reason(hasty.ask(get))]), ['timed out', 'timed out'], 'whose places are free again')
})

t.test('a service has to prove who it is', { skip: noOpenssl ?? false }, async t => {
  const service = await tlsOrigin(t, (_request, response) => response.end('ok'))
  const impostor = await tlsOrigin(t, (_request, response) => response.end('stolen'), { certificate: 'wrong-name' })
  const { cert: ca } = certificate('ca')
  t.equal((await client(t, service.url, { ca }).ask(get)).body.toString(), 'ok')
  t.equal(await reason(client(t, service.url).ask(get)), 'not trusted')
  t.equal(await reason(client(t, impostor.url, { ca }).ask({ ...get, headers: { host: 'elsewhere.example' } })), 'not trusted', 'by its URL, not by Host')
  t.equal(impostor.requests.length, 0)
})

t.test('close ends what is under way', async t => {
  const service = await rawOrigin(t, silent())
  const asked = client(t, service.url)
  const pending = reason(asked.ask(get))
  while (service.requests.length === 0) await once(service.events, 'request')
  await asked.close()
  t.equal(await pending, 'connection ended')
  t.equal(await reason(asked.ask(get)), 'connection ended')
})
