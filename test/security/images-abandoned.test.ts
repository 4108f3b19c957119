// Clients that ask for costly variants and leave: work for nobody held up every file for two
// minutes in a server that decodes by itself.
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { png } from '../helpers/bombs.ts'
import { askTimed, besieged, isCalm, outlived, watch, type Siege } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const CLIENTS = 200
const AT_ONCE = 5
const WAVE = 20
/** Milliseconds until a client loses patience. */
const PATIENCE_MS = 20

/** Asks over a socket of its own, and leaves. */
async function askAndLeave ({ port }: Siege, path: string, patience = PATIENCE_MS): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await wait(patience)
  socket.destroy()
}

t.test('200 clients that leave after 20 ms delay no plain file, and leave no work', async t => {
  const siege = await besieged(t, { 'large.png': png({ width: 5000, height: 5000 }) }, { images: { mode: 'open' } })
  t.equal((await askTimed(siege, '/large.png?w=10')).status, 200, 'it can be made')
  const { result, seen } = await watch(siege, async () => {
    for (let n = 0; n < CLIENTS; n += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, async (_, m) => await askAndLeave(siege, `/large.png?w=${100 + n + m}`)))
    }
    const left = performance.now()
    const answer = await askTimed(siege, '/large.png?w=11')
    return { answer, ms: performance.now() - left, isCalm: await isCalm(siege) }
  })
  t.equal(result.answer.status, 200)
  t.ok(result.ms < 2500 * seen.slowness, `who stays is served next: ${Math.round(result.ms)} ms, not after all of them`)
  t.ok(result.isCalm)
  await outlived(t, siege, seen)
})

t.test('200 at once who leave do not fill the queue for the one who stays', async t => {
  const siege = await besieged(t, { 'large.png': png({ width: 5000, height: 5000 }) }, { images: { mode: 'open' }, work: { maxWaiting: 20 } })
  t.equal((await askTimed(siege, '/large.png?w=10')).status, 200, 'the first of its life, which compiles code')
  const { result, seen } = await watch(siege, async () => {
    // In waves: 200 connections in one instant would be this process' own stall.
    await Promise.all(Array.from({ length: CLIENTS }, async (_, n) => {
      await wait(Math.floor(n / WAVE) * 8)
      await askAndLeave(siege, `/large.png?w=${100 + n}`, 100)
    }))
    await wait(100)
    return await askTimed(siege, '/large.png?w=11')
  })
  t.equal(result.status, 200)
  await outlived(t, siege, seen)
})

t.test('one of two who asked for the same leaves: the other gets it', async t => {
  const siege = await besieged(t, { 'large.png': png({ width: 5000, height: 5000 }) }, { images: { mode: 'open' } })
  const staying = askTimed(siege, '/large.png?w=100')
  await askAndLeave(siege, '/large.png?w=100', 50)
  t.equal((await staying).status, 200)
  t.ok(await isCalm(siege))
})

t.test('more than may wait are told to come again, and plain files are answered all the while', async t => {
  const siege = await besieged(t, { 'large.png': png({ width: 5000, height: 5000 }) }, { images: { mode: 'open' }, work: { maxWaiting: 5 } })
  t.equal((await askTimed(siege, '/large.png?w=10')).status, 200, 'the first of its life, which compiles code')
  const { result, seen } = await watch(siege, async () => await Promise.all(Array.from({ length: 60 }, async (_, n) => {
    await wait(n)
    return await askTimed(siege, `/large.png?w=${100 + n}`)
  })))
  const busy = result.filter(({ status }) => status === 503)
  t.equal(result.filter(({ status }) => status === 200).length + busy.length, 60)
  t.ok(busy.length >= 60 - 5 - 2 - 5, `${busy.length} are sent away`)
  for (const answer of busy) {
    t.equal(answer.code, 'busy')
    t.match(answer.headers['retry-after'], /^[1-9]\d?$/)
    t.equal(answer.headers['cache-control'], 'no-store')
  }
  await outlived(t, siege, seen)
})
