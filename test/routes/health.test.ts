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
