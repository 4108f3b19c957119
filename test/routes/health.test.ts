import t from 'tap'
import { ask, oneMount, scratch, serveMedia } from '../helpers/app.ts'

t.test('live and ready, until readiness fails', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' })))
  t.match(await ask(served, '/health/live'), { status: 200, text: '{"status":"live"}', headers: { 'cache-control': 'no-store' } })
  t.match(await ask(served, '/health/ready'), { status: 200, text: '{"status":"ready"}' })
  t.match(await ask(served, '/health/ready', { method: 'HEAD' }), { status: 200, text: '' })
  served.app.readiness?.fail('test')
  t.pass()
})
