import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { isHandshake, plainHead } from '../../../../lib/upstream/gateway/handshake.ts'

const request = (fields: string[][], { method = 'GET', url = '/a?b' } = {}): IncomingMessage => ({
  method,
  url,
  httpVersion: '1.1',
  httpVersionMajor: 1,
  rawHeaders: fields.flat(),
  headers: Object.fromEntries(fields.map(([name = '', value]) => [name.toLowerCase(), value]))
}) as unknown as IncomingMessage

t.test('what is the handshake of a WebSocket', t => {
  t.ok(isHandshake(request([['Upgrade', 'websocket']])))
  t.ok(isHandshake(request([['Upgrade', 'WebSocket']])))
  t.ok(isHandshake(request([['Upgrade', 'foo/2, websocket']])))
  t.ok(isHandshake(request([['Upgrade', 'websocket'], ['Content-Length', '0']])))
  for (const [fields, method] of [[[['Upgrade', 'h2c']]], [[]], [[['Upgrade', 'websockets']]], [[['Upgrade', 'websocket']], 'POST'], [[['Upgrade', 'websocket'], ['Content-Length', '1']]], [[['Upgrade', 'websocket'], ['Transfer-Encoding', 'chunked']]]] as Array<[string[][], string?]>) {
    t.notOk(isHandshake(request(fields, { method: method ?? 'GET' })), JSON.stringify([fields, method]))
  }
  t.end()
})

t.test('the head of a request without its wish', t => {
  const fields = [['Host', 'x'], ['CONNECTION', 'keep-alive, Upgrade, HTTP2-Settings'], ['Upgrade', 'h2c'], ['HTTP2-Settings', 'AA'], ['X-A', '1'], ['X-A', 'caf\u00e9'], ['connection', 'upgrade']]
  t.equal(plainHead(request(fields, { method: 'POST' }), 2000), 'POST /a?b HTTP/1.1\r\nHost: x\r\nCONNECTION: keep-alive\r\nX-A: 1\r\nX-A: caf\u00e9\r\n\r\n')
  t.equal(plainHead(request(fields), fields.length), undefined, 'of one that may not be whole there is none')
  t.match(plainHead(request(fields), 0), /^GET /, 'where there is no limit it is whole')
  t.end()
})
