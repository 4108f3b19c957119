import t from 'tap'
import media from '../../app.ts'
import readiness from '../../plugins/readiness.ts'
import { ask, oneMount, scratch, serve } from '../helpers/app.ts'

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
