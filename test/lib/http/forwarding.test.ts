import t from 'tap'
import { addForwarding, addVia, forwardingFields, isClaim } from '../../../lib/http/forwarding.ts'

const client = { address: '203.0.113.9', scheme: 'https', host: 'media.example', prefix: '' } as unknown as Parameters<typeof forwardingFields>[0]['client']
const asked = { peer: '10.0.0.1', client, prefix: '/cdn' }

const claims = [
  'forwarded', 'forwarded-for', 'forwarded_for', 'x-forwarded', 'x-forwarded-for', 'x_forwarded_for', 'x-forwarded_for', 'x_forwarded-host', 'x-forwarded-port', 'x-forwarded-ssl', 'x-forwarded-user', 'x-forwarded-anything',
  'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-prefix', 'x-forwarded-server', 'x-forwarded-scheme', 'x-forwarded-client-cert', 'x-real-ip', 'x_real_ip', 'x_real-ip', 'x-client-ip', 'x_client_ip', 'x-cluster-client-ip', 'x_cluster_client-ip',
  'true-client-ip', 'true_client_ip', 'true-client_ip', 'cf-connecting-ip', 'cf_connecting_ip', 'cf-connecting-ipv6', 'fastly-client-ip', 'fastly_client_ip', 'x-original-forwarded-for', 'x_original_forwarded_for', 'x-envoy-external-address', 'x_envoy_external_address'
]
const others = ['host', 'accept', 'x-request-id', 'x-forwardedfor', 'x-real-ip-of', 'x-forward', 'forwarded-by-pigeon', 'x', '', 'x-client-ipv', 'xx-forwarded-for', 'via', '__proto__', 'constructor']

t.test('whatever tells who asked is known, however it is spelled', async t => {
  for (const name of claims) t.ok(isClaim(name), name)
  for (const name of others) t.notOk(isClaim(name), name)
})

t.test('nothing of what a client claims goes on', async t => {
  const fields = Object.fromEntries([...claims.map(name => [name, 'forged']), ['accept', '*/*'], ['x-request-id', '7']]) as Record<string, string>
  t.strictSame(addForwarding(fields, forwardingFields(asked), '1.1'), {
    'accept': '*/*',
    'x-request-id': '7',
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'media.example',
    'forwarded': 'for=10.0.0.1;host=media.example;proto=https',
    'x-forwarded-prefix': '/cdn',
    'via': '1.1 fastify-media'
  })
})

t.test('what a trusted proxy says goes on, but what this server knows better', async t => {
  const before = { 'x-forwarded-for': '203.0.113.9', 'forwarded': ['for=203.0.113.9', 'for=_x'], 'x-forwarded-port': '443', 'x-forwarded-ssl': 'on', 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'other', 'x-forwarded-prefix': '/other', 'x_forwarded_for': '6.6.6.6', 'x-real-ip': '6.6.6.6', 'accept': '*/*', 'x-forwarded-user': undefined }
  const sent = addForwarding({ ...before, 'x-forwarded-user': 'forged', 'via': ['1.0 a', '1.1 b'] }, forwardingFields(asked, before), '1.1')
  t.strictSame(sent, {
    'accept': '*/*',
    'via': '1.0 a, 1.1 b, 1.1 fastify-media',
    'x-forwarded-for': '203.0.113.9, 10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'media.example',
    'forwarded': 'for=203.0.113.9, for=_x, for=10.0.0.1;host=media.example;proto=https',
    'x-forwarded-prefix': '/cdn',
    'x-forwarded-port': '443',
    'x-forwarded-ssl': 'on'
  })
})

t.test('addresses and hosts are quoted where they have to be; at the root there is no prefix', async t => {
  const fields = forwardingFields({ peer: '2001:db8::1', client: { ...client, host: 'media.example:8443' }, prefix: '' })
  t.equal(fields.forwarded, 'for="[2001:db8::1]";host="media.example:8443";proto=https')
  t.notOk('x-forwarded-prefix' in fields)
  t.match(forwardingFields({ ...asked, peer: '' }).forwarded, /^for=unknown;/)
})

t.test('an answer says which way it came', async t => {
  const fields: Record<string, string | string[]> = {}
  addVia(fields)
  addVia(fields)
  t.same(fields, { via: '1.1 fastify-media, 1.1 fastify-media' })
})
