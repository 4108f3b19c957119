import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { remoteUpstreams, type RemoteUpstreams } from '../../../lib/upstream/remote-upstreams.ts'
import { origin } from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'

type RemoteConfig = Parameters<typeof remoteUpstreams>[1]

async function servers (t: { teardown (close: () => unknown): unknown }, options: Partial<RemoteConfig> = {}): Promise<RemoteUpstreams> {
  const { config } = await resolveConfig({ sources: { any: { driver: 'remote', allow: ['http://127.0.0.1:1'], addresses: 'any', ...options } } }, { base: '/' })
  const open = remoteUpstreams('any', config.sources['any'] as RemoteConfig)
  t.teardown(async () => await open.close())
  return open
}

t.test('each origin has connections of its own, made when it is first asked', async t => {
  const remote = await servers(t)
  t.equal(remote.senderOf(new URL('http://127.0.0.1:1/a')), remote.senderOf(new URL('http://127.0.0.1:1/b')))
  t.not(remote.senderOf(new URL('http://127.0.0.1:1/a')), remote.senderOf(new URL('http://127.0.0.1:2/a')))
})

t.test('who was not asked for the longest is given up, and what is under way comes to its end', async t => {
  let answer = (): void => {}
  const slow = await origin(t, (_request, response) => { answer = () => response.end('late') })
  const remote = await servers(t)
  const url = new URL(slow.url)
  const first = remote.senderOf(url)
  const waiting = first.send({ method: 'GET', path: '/', headers: {} })
  await eventually(() => slow.requests.length === 1)
  for (let port = 1; port <= 300; port++) remote.senderOf(new URL(`http://127.0.0.1:${port}/`))
  t.not(remote.senderOf(url), first)
  answer()
  t.same((await waiting).body, Buffer.from('late'))
})

t.test('what the source says of connections holds', async t => {
  const silent = await origin(t, () => {})
  const remote = await servers(t, { firstByteTimeoutMs: 200 })
  await t.rejects(remote.senderOf(new URL(silent.url)).send({ method: 'GET', path: '/', headers: {} }), { code: 'upstream-timeout', message: /any/ })
})
