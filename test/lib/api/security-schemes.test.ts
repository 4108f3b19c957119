import t from 'tap'
import { schemesOf, securityFor } from '../../../lib/api/security-schemes.ts'
import type { Strategy } from '../../../lib/access/access.ts'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import type { Requirement } from '../../../lib/config/access-schema.ts'

const badges: Strategy = { name: 'our badges', fields: ['X-Badge', 'Cookie'], judge: () => ({ kind: 'absent' }) }

async function told (): Promise<Parameters<typeof schemesOf>[1]> {
  const { config } = await resolveConfig({ strategies: {
    tokens: { driver: 'jwt', algorithms: ['HS256'], key: 'the walrus keeps 12 secrets of the sea' },
    machines: { driver: 'apiKey', header: 'X-Key', keys: [{ name: 'a', hash: `sha256:${'a1'.repeat(32)}` }] },
    quiet: { driver: 'apiKey', bearer: false, keys: [{ name: 'a', hash: `sha256:${'b2'.repeat(32)}` }] },
    links: { driver: 'signed', keys: [{ id: 'a', secret: 'another walrus keeps 11 secrets too' }] },
    office: { driver: 'ip', allow: ['127.0.0.0/8'] },
    staff: { driver: 'mtls', names: ['DNS:staff.example'] },
    policy: { driver: 'forward', url: 'http://127.0.0.1:1/' }
  } }, { base: '/' })
  const policy: Strategy = { name: 'policy', fields: ['Authorization', 'Cookie'], judge: () => ({ kind: 'absent' }) }
  return { configs: config.strategies, strategies: new Map([['our badges', badges], ['policy', policy]]) }
}

t.test('each strategy is told by how its credentials are sent', async t => {
  const schemes = await told()
  t.match(schemesOf('tokens', schemes), { tokens: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } })
  t.match(schemesOf('machines', schemes), { 'machines': { type: 'apiKey', in: 'header', name: 'X-Key' }, 'machines.bearer': { type: 'http', scheme: 'bearer' } })
  t.strictSame(Object.keys(schemesOf('quiet', schemes)), ['quiet'])
  t.match(schemesOf('links', schemes), { links: { type: 'apiKey', in: 'query', name: 'sig' } })
  t.match(schemesOf('staff', schemes), { staff: { type: 'mutualTLS' } })
  t.strictSame(schemesOf('office', schemes), {}, 'nobody sends an address')
  t.match(schemesOf('policy', schemes), { 'policy': { type: 'apiKey', in: 'header', name: 'Authorization' }, 'policy.Cookie': { type: 'apiKey', in: 'header', name: 'Cookie' } })
  t.match(schemesOf('our badges', schemes), { 'our_badges': { name: 'X-Badge', description: 'What our badges decides by' }, 'our_badges.Cookie': { name: 'Cookie' } })
  t.strictSame(schemesOf('none', schemes), {})
})

t.test('every way to be let in is one requirement, with the scopes that it needs', async t => {
  const schemes = await told()
  const ways = (read: Requirement, write: Requirement = 'nobody', method = 'GET') => securityFor(method, { read, write, methods: { DELETE: ['staff'] }, readScopes: ['look'], writeScopes: [], passCredentials: false, except: [] }, schemes)
  t.strictSame(ways('tokens'), [{ tokens: ['look'] }])
  t.strictSame(ways(['machines', 'staff']), [{ machines: [] }, { 'machines.bearer': ['look'] }, { staff: [] }])
  t.strictSame(ways({ all: ['office', 'tokens'] }), [{ tokens: ['look'] }])
  t.strictSame(ways({ all: ['tokens', { any: ['quiet', 'staff'] }] }), [{ tokens: ['look'], quiet: [] }, { tokens: ['look'], staff: [] }])
  t.strictSame(ways({ any: [{ all: ['quiet', 'staff'] }, 'quiet', 'quiet'] }), [{ quiet: [], staff: [] }, { quiet: [] }])
  t.strictSame(ways('office'), [{}], 'nothing has to be sent')
  t.strictSame(ways('tokens', 'nobody', 'POST'), [], 'nobody may')
  t.strictSame(ways('tokens', ['tokens'], 'PUT'), [{ tokens: [] }])
  t.strictSame(ways('tokens', ['tokens'], 'DELETE'), [{ staff: [] }])
})
