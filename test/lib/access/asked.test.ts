import { X509Certificate } from 'node:crypto'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { AccessRequest } from '../../../lib/access/access.ts'
import { Asked, askedAs } from '../../../lib/access/asked.ts'
import { decodePath } from '../../../lib/paths/request-path.ts'
import { raw, serve } from '../../helpers/app.ts'
import { certificate, noOpenssl, type CertificateName } from '../../helpers/certificates.ts'

const facts = ({ method, target, mount, path, headers, rawHeaders, address, isFromTrustedProxy, certificate: of }: AccessRequest): object => ({ method, target, mount, path, headers, rawHeaders, address, isFromTrustedProxy, certificate: of })

t.test('a request is told as it was sent, and nothing of it is worked out before it is asked for', async t => {
  const seen: Asked[] = []
  const paths: string[] = []
  const place = { mount: '/photos', pathOf (target: string) { paths.push(target); return decodePath(target) } }
  const served = await serve(t, app => {
    app.addHook('onRequest', async ({ raw: message }, reply) => {
      seen.push(new Asked({ raw: message, clientAddress: '192.0.2.7', isFromTrustedProxy: true }, place))
      await reply.send('')
    })
  })
  await raw(served, 'PROPFIND /photos/%63at.jpg?w=1&sig=x HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n')
  const [request] = seen
  t.same(paths, [])
  t.match(facts(request as Asked), {
    method: 'PROPFIND', target: '/photos/%63at.jpg?w=1&sig=x', mount: '/photos', path: '/photos/cat.jpg', headers: { 'x-two': '1, 2' }, rawHeaders: ['Host', 'a', 'X-Two', '1', 'x-two', '2', 'Upgrade', 'websocket', 'Connection', 'close'], address: '192.0.2.7', isFromTrustedProxy: true, certificate: undefined
  }, 'a wish for another protocol makes it no other method')
  t.same(paths, ['/photos/%63at.jpg?w=1&sig=x'])
  const other = askedAs(request as Asked, 'WEBSOCKET')
  t.equal(paths.length, 1)
  t.same(facts(other), { ...facts(request as Asked), method: 'WEBSOCKET' }, 'as whoever takes it for another sees it')
})

t.test('what is not known of a request that was put together is what it would be', t => {
  const { method, target } = new Asked({ raw: { headers: {}, rawHeaders: [] } as never, clientAddress: '', isFromTrustedProxy: false }, { mount: '/', pathOf: decodePath })
  t.same([method, target], ['GET', '/'])
  t.end()
})

t.test('seen as another, a path that two readers could read differently is still refused when it is asked for', t => {
  const place = { mount: '/', pathOf: decodePath }
  const request = askedAs(new Asked({ raw: { url: '/a/%2e%2e/b' } as never, clientAddress: '', isFromTrustedProxy: false }, place), 'PUT')
  t.throws(() => request.path, { code: 'bad-path' })
  t.end()
})

/** What is told of the certificate of a client over TLS. */
async function shown (t: Test, name: CertificateName | undefined): Promise<AccessRequest['certificate']> {
  const { cert, key } = certificate('good')
  const ca = certificate('ca').cert
  let told: AccessRequest['certificate']
  const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, (message, response) => {
    const request = new Asked({ raw: message, clientAddress: '', isFromTrustedProxy: false }, { mount: '/', pathOf: decodePath })
    told = askedAs(request, 'PUT').certificate
    response.end()
  })
  t.teardown(() => { server.close() })
  await new Promise<void>(ready => { server.listen(0, '127.0.0.1', ready) })
  const { port } = server.address() as AddressInfo
  const client = name === undefined ? {} : { cert: certificate(name).cert, key: certificate(name).key }
  await new Promise<void>((answered, fail) => { httpsRequest({ host: '127.0.0.1', port, ca, agent: false, ...client }, response => { response.resume().once('end', answered) }).once('error', fail).end() })
  return told
}

t.test('a certificate is that of a client which the server verified, and no other', { skip: noOpenssl ?? false }, async t => {
  t.same(await shown(t, 'client'), new X509Certificate(certificate('client').cert).raw)
  for (const name of ['foreign-client', undefined] as const) t.equal(await shown(t, name), undefined, String(name))
})
