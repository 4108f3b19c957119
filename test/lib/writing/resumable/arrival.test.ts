import { PassThrough } from 'node:stream'
import t from 'tap'
import { ClientLeft } from '../../../../lib/http/client-left.ts'
import { Arrival } from '../../../../lib/writing/resumable/arrival.ts'

const patience = { stallMs: 60_000, timeoutMs: 60_000 }

async function text (stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text()
}

t.test('what comes is passed on, and a body that fails ends', async t => {
  const body = new PassThrough()
  const arrival = new Arrival(body, patience)
  body.write('abc')
  const reading = text(arrival.stream)
  await new Promise(resolve => setImmediate(resolve))
  body.destroy(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
  t.equal(await reading, 'abc')
  t.ok(arrival.fault instanceof ClientLeft)
})

t.test('a body that is whole, or gone, by then', async t => {
  const gone = new PassThrough()
  gone.destroy()
  const left = new Arrival(gone, patience)
  t.equal(await text(left.stream), '')
  t.ok(left.fault instanceof ClientLeft)
  const whole = new PassThrough({ autoDestroy: false })
  whole.end()
  whole.resume()
  await new Promise(resolve => whole.once('end', resolve))
  const ended = new Arrival(whole, patience)
  t.equal(await text(ended.stream), '')
  t.equal(ended.fault, undefined)
})

t.test('what is stopped, by either side, leaves the rest to others', async t => {
  for (const stop of [async (arrival: Arrival) => { arrival.stop() }, async (arrival: Arrival) => await arrival.stream.cancel()]) {
    const body = new PassThrough()
    const arrival = new Arrival(body, patience)
    body.write('abc')
    await stop(arrival)
    arrival.stop()
    t.equal(arrival.fault, undefined)
    t.equal(body.listenerCount('data') + body.listenerCount('readable'), 0)
    const rest = new Promise(resolve => body.once('data', resolve))
    body.resume()
    t.equal(String(await rest), 'abc')
    body.destroy(new Error('nobody waits for this'))
  }
})

t.test('all of it may take only so long', async t => {
  const body = new PassThrough()
  const arrival = new Arrival(body, { stallMs: 60_000, timeoutMs: 20 })
  body.write('abc')
  t.equal(await text(arrival.stream), 'abc')
  t.match(arrival.fault, { code: 'request-timeout' })
})
