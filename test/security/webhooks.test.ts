// A webhook leads out of the server: what is sent there is what clients named their files, and what comes
// back is whatever its owner likes. And whoever can reach the receiver could pretend to be this server.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { origin, rawOrigin, type OriginRequest } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { sharedSecret } from '../helpers/tokens.ts'
import { event, filesBelow, tell, telling, webhook } from '../lib/events/telling.ts'

/** A receiver's side, as the text of Standard Webhooks has it: any of the signatures, compared in constant time, of a time that is near. */
function isGenuine (key: Buffer, headers: IncomingHttpHeaders, body: Buffer, nowSeconds = Date.now() / 1000): boolean {
  const [id, timestamp, signatures] = [headers['webhook-id'], headers['webhook-timestamp'], headers['webhook-signature']].map(String) as [string, string, string]
  if (Math.abs(Number(timestamp) - nowSeconds) > 300) return false
  const expected = createHmac('sha256', key).update(Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body])).digest()
  return signatures.split(' ').some(each => {
    const [version, signature = ''] = each.split(',')
    const given = Buffer.from(signature, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}

t.test('a receiver tells what is ours from what is forged, altered, or old', async t => {
  const server = await origin(t, (_request, response) => response.end(), { gather: true })
  const { events } = await telling(t, { webhooks: { search: webhook(server.url) } })
  await tell(events, event({ path: '/photos/\u202Egpj.exe' }))
  await eventually(() => server.requests.length === 1)
  const { headers, body = Buffer.alloc(0) } = server.requests[0] as OriginRequest
  const key = Buffer.from(sharedSecret)
  t.equal(isGenuine(key, headers, body), true)
  t.equal(isGenuine(Buffer.from(`${sharedSecret}x`), headers, body), false, 'another secret')
  t.equal(isGenuine(key, headers, Buffer.from(String(body).replace('created', 'deleted'))), false, 'another body')
  t.equal(isGenuine(key, { ...headers, 'webhook-id': 'another' }, body), false, 'another id, which would be taken for new')
  t.equal(isGenuine(key, headers, body, Date.now() / 1000 + 3600), false, 'sent again later by somebody who saw it')
  t.equal(isGenuine(key, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 3600) }, body, Date.now() / 1000 + 3600), false, 'with another time')
})

t.test('secrets are changed without a message that cannot be verified', async t => {
  const server = await origin(t, (_request, response) => response.end(), { gather: true })
  const [older, newer] = [sharedSecret, `${sharedSecret}-newer`]
  const { events } = await telling(t, { webhooks: { search: webhook(server.url, { secret: `${newer}\n${older}` }) } })
  await tell(events)
  await eventually(() => server.requests.length === 1)
  const { headers, body = Buffer.alloc(0) } = server.requests[0] as OriginRequest
  for (const secret of [older, newer]) t.equal(isGenuine(Buffer.from(secret), headers, body), true)
})

t.test('nothing that a client named reaches a field, a line or a file name', async t => {
  const heads: string[] = []
  const server = await rawOrigin(t, ({ head, socket }) => {
    heads.push(head)
    socket.write('HTTP/1.1 204 No Content\r\n\r\n')
  })
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url, { attempts: 1 }) } })
  const hostile = '/photos/x\r\nWebhook-Signature: v1,forged\r\n\r\nPOST /evil HTTP/1.1\r\n'
  const pending = await events.announce(event({ path: hostile, principal: hostile, mount: hostile, contentType: hostile }))
  t.ok(readdirSync(join(directory, 'events'), { recursive: true }).every(name => /^[\w./-]+$/.test(String(name)) && !String(name).includes('forged')), 'on disk')
  await pending.confirm({ entityTag: hostile })
  await eventually(() => heads.length === 1)
  t.notMatch(heads[0], /evil|forged/)
  await t.rejects(events.announce(event({ id: '../../../../elsewhere' })), 'an id is never a path')
})

t.test('neither the secret nor anything that was answered is logged, told or kept', async t => {
  const answer = 'answer-that-might-hold-credentials'
  const server = await origin(t, (_request, response) => response.writeHead(500, `Oops ${answer}`, { 'x-trace': answer, location: `http://${answer}/` }).end(answer), { gather: true })
  const { events, directory, lines } = await telling(t, { webhooks: { search: webhook(server.url, { attempts: 2 }) } })
  await tell(events)
  await eventually(() => filesBelow(directory)[0]?.startsWith('dead/') === true)
  const kept = readFileSync(join(directory, 'events', filesBelow(directory)[0] ?? ''), 'utf8')
  const said = JSON.stringify([lines, events.state(), kept])
  t.match(said, /answered 500/)
  t.notMatch(said, new RegExp(answer))
  t.notMatch(said, new RegExp(sharedSecret.slice(0, 12).replaceAll(/\W/g, '.')))
})

t.test('what waits is for the server\'s own eyes: files and directories are its user\'s alone', { skip: process.platform === 'win32' ? 'there are no modes' : false }, async t => {
  const { events, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9', { attempts: 1 }) } })
  await tell(events)
  await events.announce(event())
  await eventually(() => filesBelow(directory).some(name => name.startsWith('dead/')))
  for (const entry of readdirSync(directory, { recursive: true })) t.equal(lstatSync(join(directory, String(entry))).mode & 0o077, 0, String(entry))
})

t.test('a receiver cannot hold what it is told for longer than an hour, however it asks', async t => {
  const server = await origin(t, (_request, response) => response.writeHead(503, { 'retry-after': '9999999999' }).end(), { gather: true })
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url) } })
  await tell(events)
  await eventually(() => filesBelow(directory).some(name => name.includes('.1.')))
  const due = Number(/\/(\d{18})\.1\./.exec(filesBelow(directory)[0] ?? '')?.[1]) / 1000
  t.ok(due <= Date.now() + 3_600_000)
})
