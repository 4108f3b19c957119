// Whatever a client writes as the path, nothing outside of the origin's base path is asked for:
// dot segments in every spelling, backslashes, parameters, and what looks like another host.
import t from 'tap'
import { serveGateway } from '../helpers/gateway.ts'
import { origin } from '../helpers/origin.ts'
import { head, wire } from '../helpers/wire.ts'

const climbing = [
  '/..', '/../', '/../secret', '/a/../../secret', '/%2e%2e/secret', '/%2E%2E/secret', '/.%2e/secret', '/%2e./secret', '/..%2fsecret', '/..%2Fsecret', '/%2e%2e%2fsecret', '/a%2f..%2f..%2fsecret', '/..%5csecret', '/..%5Csecret',
  '/..\\secret', '/a\\..\\..\\secret', '/..;/secret', '/..;x=1/secret', '/%2e%2e;/secret', '/..%3b/secret', '/a/..', '/a/..?x=1', '/a/%2e%2e#x', '/./../secret', '//../secret', '//..//secret', '/%00', '/a%00.jpg', '/..%00/secret'
]

t.test('nothing above the base path is asked for', async t => {
  const backend = await origin(t, (_request, response) => { response.end('reached') })
  for (const prefix of ['/api', '']) {
    const served = await serveGateway(t, `${backend.url}/base`, { prefix })
    for (const path of climbing) {
      for (const target of [prefix + path, `http://media.example${prefix}${path}`]) {
        const client = await wire(t, served)
        client.send(head(`GET ${target}`, ['Connection: close']))
        t.match(await client.end(), /^HTTP\/1\.1 40[04] /, target)
      }
    }
  }
  t.equal(backend.requests.length, 0)
})

t.test('handshakes of WebSockets neither', async t => {
  const backend = await origin(t, (_request, response) => { response.end('reached') })
  const served = await serveGateway(t, `${backend.url}/base`)
  for (const path of climbing) {
    const client = await wire(t, served)
    client.send(head(`GET /api${path}`, ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']))
    t.match(await client.end(), /^HTTP\/1\.1 40[04] /, path)
  }
  t.equal(backend.requests.length, 0)
  t.equal(backend.opened, 0)
})

t.test('what looks like another host is a path', async t => {
  const backend = await origin(t, (request, response) => { response.end(request.url) })
  const served = await serveGateway(t, `${backend.url}/base`, { prefix: '' })
  for (const target of ['//evil.example/x', '/@evil.example/', '/http://evil.example/x', '/https:/evil.example', '/\\evil.example/x', '/%68ttp://evil.example']) {
    const client = await wire(t, served)
    client.send(head(`GET ${target}`, ['Connection: close']))
    t.equal((await client.end()).split('\r\n\r\n')[1], `/base${target}`)
  }
})

t.test('targets that are no paths are no failures of ours', async t => {
  const backend = await origin(t, (_request, response) => { response.end('ok') })
  const served = await serveGateway(t, backend.url, { prefix: '' })
  for (const line of ['OPTIONS *', 'GET *', 'GET ftp://x/y', 'GET http://', 'GET http:///x', `GET /${'a'.repeat(17_000)}`, 'GET /a b', 'GET /a\tb', 'GET /\u00e4', 'GET /?\u00e4=%']) {
    const client = await wire(t, served)
    client.send(head(line, ['Connection: close']))
    t.match(await client.end(), /^HTTP\/1\.1 [24]\d\d /, line.slice(0, 40))
  }
})
