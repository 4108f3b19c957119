import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { files, mistakesIn } from './mistakes-in.ts'

const strategies = { here: { driver: 'ip', allow: ['127.0.0.0/8'] }, trial: { driver: 'signed', mode: 'report-only', keys: [{ id: 'a', secret: 'the walrus keeps 12 secrets of the sea' }] } }
const access = { read: ['here'], write: ['here'] }
const config = (api: object, mounts: object[] = [{ source: 'files' }]): object => ({ sources: files, strategies, mounts, api })

t.test('an API has a prefix, a page and no limits unless it is told otherwise', async t => {
  t.match((await resolveConfig(config({ access }), { base: '/' })).config.api, { prefix: '/api/v1', docs: true, access: { read: ['here'], write: ['here'] }, rateLimit: undefined })
  t.equal((await resolveConfig({ sources: files }, { base: '/' })).config.api, undefined)
  t.strictSame(await mistakesIn(config({ access: { read: ['here'] } })), [], 'and may only read')
  t.match(await mistakesIn(config({})), [/api\.access: Expected/])
})

t.test('an API is for nobody who is not known', async t => {
  t.strictSame(await mistakesIn(config({ access: {} })), ['api.access.read: Expected nobody or names of strategies, because the API may not be for everybody'])
  t.strictSame(await mistakesIn(config({ access: { ...access, methods: { GET: 'public' } } })), ['api.access.methods.GET: Expected nobody or names of strategies, because the API may not be for everybody'])
  t.strictSame(await mistakesIn(config({ access: { ...access, write: 'public' } })), ['api.access.write: Expected nobody or names of strategies, because the API may not be for everybody'])
  t.strictSame(await mistakesIn(config({ access: { ...access, read: ['here', 'trial'] } })), ['api.access.read: Expected strategies that refuse, because the API may not be for everybody, but trial is in mode report-only'])
  t.strictSame(await mistakesIn(config({ access: { ...access, write: ['hear'] } })), ['api.access.write: Expected the name of a strategy but received "hear". Did you mean here?'])
  t.match(await mistakesIn(config({ access: { ...access, except: ['/elsewhere'] } })), [/api\.access\.except\[0\]: Expected a path below \/api\/v1\//])
  t.match(await mistakesIn(config({ access, rateLimit: {} })), [/api\.rateLimit: Expected addresses or principals/])
})

t.test('below the prefix of an API there is nothing else', async t => {
  const refused: Array<[prefix: string, mounts: object[], by: RegExp]> = [
    ['/api/v1', [{ source: 'files', prefix: '/api/v1' }], /\/api\/v1 is that of mounts\[0\]/],
    ['/api/v1/', [{ source: 'files', prefix: '/api/v1/files' }], /\/api\/v1\/files is that of mounts\[0\]/],
    ['/', [{ source: 'files', prefix: '/files' }], /\/files is that of mounts\[0\]/],
    ['/health', [], /\/health\/live is that of the server itself/]
  ]
  for (const [prefix, mounts, by] of refused) {
    const [told = '', ...others] = await mistakesIn(config({ access, prefix }, mounts))
    t.match(told, /^api\.prefix: Expected a prefix below which nothing else is, but/, prefix)
    t.match(told, by)
    t.strictSame(others, [])
  }
  for (const prefix of ['/', '/api', '/api/v10', '/api/v']) t.strictSame(await mistakesIn(config({ access }, [{ source: 'files', prefix }])), [], prefix)
})

t.test('API keys may be for the API', async t => {
  const machines = (mounts: string[]): object => ({ driver: 'apiKey', keys: [{ name: 'a', hash: `sha256:${'a1'.repeat(32)}`, mounts }] })
  t.strictSame(await mistakesIn({ ...config({ access: { read: ['machines'] } }), strategies: { machines: machines(['/api/v1/', '/']) } }), [])
  t.match(await mistakesIn({ ...config({ access: { read: ['machines'] }, prefix: '/programs' }), strategies: { machines: machines(['/api/v1']) } }), [/Expected the prefix of a mount but received \/api\/v1/])
})
