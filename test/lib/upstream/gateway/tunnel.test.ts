import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { tunnel } from '../../../../lib/upstream/gateway/tunnel.ts'
import { content } from '../../../helpers/origin.ts'
import { eventually } from '../../../helpers/process.ts'

type Test = Parameters<typeof import('../../../helpers/app.ts').serve>[0]

/** Both ends of a connection, as a server has them: open on one side until both have ended. */
async function pair (t: Test): Promise<[outer: Socket, inner: Socket]> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const outer = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1', allowHalfOpen: true })
  const [inner] = await accepted
  for (const socket of [outer, inner]) socket.on('error', () => {})
  t.teardown(() => {
    outer.destroy()
    inner.destroy()
    server.close()
  })
  return [outer, inner]
}

const nothing = Buffer.alloc(0)

t.test('bytes go both ways, those first that were there before', async t => {
  const [client, clientInner] = await pair(t)
  const [upstream, upstreamInner] = await pair(t)
  const over = tunnel({ socket: clientInner, early: Buffer.from('a') }, { socket: upstreamInner, early: Buffer.from('1') })
  const heard = (socket: Socket): Promise<Buffer> => new Promise(resolve => {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)))
  })
  const atUpstream = heard(upstream)
  const atClient = heard(client)
  client.end('bc')
  t.equal(String(await atUpstream), 'abc')
  const sent = content(5_000_000).bytes()
  upstream.end(sent)
  t.ok(Buffer.concat([Buffer.from('1'), sent]).equals(await atClient), 'also after the other side has ended')
  await over
})

t.test('an end is passed on, and the rest of time is short', async t => {
  const [client, clientInner] = await pair(t)
  const [upstream, upstreamInner] = await pair(t)
  const over = tunnel({ socket: clientInner, early: nothing }, { socket: upstreamInner, early: nothing }, 200)
  upstream.resume().end()
  client.resume()
  await once(client, 'end')
  t.notOk(clientInner.destroyed, 'the client may still say something')
  await over
  t.ok(clientInner.destroyed && upstreamInner.destroyed, 'but not for ever')
})

t.test('where one breaks so does the other', async t => {
  for (const which of [0, 1]) {
    const ends = [await pair(t), await pair(t)] as const
    const over = tunnel({ socket: ends[0][1], early: nothing }, { socket: ends[1][1], early: nothing })
    ends[which]?.[0].resetAndDestroy()
    await over
    t.ok(ends.every(([, inner]) => inner.destroyed))
    t.ok(await eventually(() => ends.every(([outer]) => outer.destroyed || outer.resume().readableEnded)))
  }
})

t.test('one that is gone already takes the other along', async t => {
  const [, clientInner] = await pair(t)
  const [, upstreamInner] = await pair(t)
  clientInner.destroy()
  await once(clientInner, 'close')
  await tunnel({ socket: clientInner, early: nothing }, { socket: upstreamInner, early: nothing })
  t.ok(upstreamInner.destroyed)
})
