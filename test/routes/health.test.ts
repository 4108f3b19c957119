import t from 'tap'
import media from '../../app.ts'
import { signTarget } from '../../lib/access/index.ts'
import readiness from '../../plugins/readiness.ts'
import { ask, oneMount, scratch, serve, serveMedia } from '../helpers/app.ts'

t.test('live and ready, until readiness fails', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const served = await serve(t, async app => {
    await app.register(readiness)
    app.register(media, oneMount(root))
  })
  t.match(await ask(served, '/health/live'), { status: 200, text: '{"status":"live"}', headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } })
  t.match(await ask(served, '/health/ready'), { status: 200, text: '{"status":"ready"}' })
  t.match(await ask(served, '/health/ready', { method: 'HEAD' }), { status: 200, text: '' })
  served.app.readiness.fail('maintenance')
  served.app.readiness.fail('later')
  t.match(await ask(served, '/health/ready'), { status: 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' }, text: /Not ready: maintenance/ })
  t.equal((await ask(served, '/health/live')).status, 200)
  t.equal((await ask(served, '/a.txt')).status, 200, 'requests are still taken')
})

t.test('details of the parts of a server stand beside its readiness, and fail nothing', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const served = await serve(t, async app => {
    await app.register(readiness)
    app.register(media, oneMount(root))
  })
  let state = 'up'
  const { readiness: shown } = served.app
  shown.describe('upstreams', () => ({ assets: [{ origin: 'assets[0]', state }], constructor: [] }))
  shown.describe('upstreams', () => ({ assets: [{ origin: 'assets[0]', state: 'of another app' }], api: [] }))
  shown.describe('stores', () => ({}))
  for (state of ['up', 'ejected']) {
    const answer = await ask(served, '/health/ready')
    t.equal(answer.status, 200)
    t.equal(answer.text, JSON.stringify({
      status: 'ready',
      upstreams: { assets: [{ origin: 'assets[0]', state }, { origin: 'assets[0]', state: 'of another app' }], constructor: [], api: [] },
      stores: {}
    }))
  }
  shown.fail('maintenance')
  t.match(await ask(served, '/health/ready'), { status: 503, text: /Not ready: maintenance/ })
})

t.test('how signed URLs go is told by the names of strategies, and of nothing else', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const key = { id: 'a', secret: 'the walrus keeps 12 secrets of the sea' }
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: {
      links: { driver: 'signed', keys: [key] },
      soon: { driver: 'signed', mode: 'report-only', keys: [{ id: 'b', secret: 'what the carpenter thinks, 7 do know' }] },
      machines: { driver: 'apiKey', keys: [{ name: 'build', hash: `sha256:${'0'.repeat(64)}` }] }
    },
    mounts: [{ prefix: '/links', source: 'files', access: { read: 'links' } }, { prefix: '/soon', source: 'files', access: { read: 'soon' } }, { prefix: '/either', source: 'files', access: { read: ['soon', 'machines'] } }]
  })
  const states = async (): Promise<unknown> => JSON.parse((await ask(served, '/health/ready')).text) as unknown
  t.same(await states(), { status: 'ready', signatures: { links: [{ mode: 'enforce', granted: 0, refused: {} }], soon: [{ mode: 'report-only', granted: 0, refused: {} }] } })
  const signed = signTarget('/links/a.txt', key, { expiresIn: 60 })
  for (const [target, status] of [[signed, 200], [signed.replace('a.txt', 'b.txt'), 403], ['/links/a.txt', 401], ['/soon/a.txt', 200], ['/soon/a.txt?sig=x', 200]] as const) t.equal((await ask(served, target)).status, status, target)
  t.equal((await ask(served, '/either/a.txt', { headers: { 'x-api-key': 'fm_nobody-has-it' } })).status, 200)
  t.same(await states(), { status: 'ready', signatures: {
    links: [{ mode: 'enforce', granted: 1, refused: { 'signature does not match': 1 } }],
    soon: [{ mode: 'report-only', granted: 0, refused: { 'no signature': 2, 'malformed signature': 1 } }]
  } })
})
