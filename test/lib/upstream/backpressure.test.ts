// A reader who stops stops the origin; what is under way between them is bounded.
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { drop, get, open } from './open-upstream.ts'

/** What the issue allows in flight: buffers of both kernels' sides, of the connection and of the stream. */
const IN_FLIGHT_BYTES = 16_000_000

/** What an origin has written when it writes no more. */
async function settled (origin: kit.RawOrigin): Promise<number> {
  let before = -1
  while (before !== origin.written) {
    before = origin.written
    await wait(300)
  }
  return before
}

t.test('a body that nobody reads is not fetched', async t => {
  for (const [name, script] of [['chunked', kit.endless()], ['with a length', kit.whole(kit.content(500_000_000))], ['to the end of the connection', kit.whole(kit.content(500_000_000), 'close')]] as const) {
    for (const sender of ['files', 'live'] as const) {
      const origin = await kit.rawOrigin(t, script)
      const { upstream } = await open(t, origin.url)
      const before = process.memoryUsage().arrayBuffers
      const answer = await get(sender === 'live' ? upstream.live : upstream)
      const written = await settled(origin)
      t.ok(written < IN_FLIGHT_BYTES, `${name}, ${sender}: ${written} bytes are written`)
      t.ok(process.memoryUsage().arrayBuffers - before < 8_000_000, 'and less is held')
      t.equal(origin.connections, 1)
      drop(answer)
      t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
    }
  }
})

t.test('a reader who stops in the middle stops the origin, and gets all of it in the end', async t => {
  const file = kit.content(60_000_000)
  const origin = await kit.rawOrigin(t, kit.whole(file))
  const { upstream } = await open(t, origin.url)
  const body = (await get(upstream)).body as Readable
  const pieces: Buffer[] = []
  let bytes = 0
  body.on('data', (piece: Buffer) => {
    pieces.push(piece)
    bytes += piece.length
    if (bytes > 1_000_000 && bytes - piece.length <= 1_000_000) body.pause()
  })
  await eventually(() => body.isPaused())
  const written = await settled(origin)
  t.ok(written - bytes < IN_FLIGHT_BYTES, `${written - bytes} bytes are under way`)
  body.resume()
  await eventually(() => body.readableEnded)
  t.equal((await kit.taken(Buffer.concat(pieces))).hash, file.hash)
})

t.test('many readers who stop hold little memory, and starve no other', async t => {
  const origin = await kit.rawOrigin(t, request => (request.target === '/other' ? kit.whole(kit.content(5_000_000)) : kit.endless())(request))
  const { upstream } = await open(t, origin.url)
  const before = process.memoryUsage()
  const answers = await Promise.all(Array.from({ length: 40 }, async () => await get(upstream)))
  await settled(origin)
  const after = process.memoryUsage()
  t.ok(after.external - before.external < 40 * 1_000_000, `${(after.external - before.external) / 40} bytes each`)
  t.equal((await kit.taken((await get(upstream, '/other')).body)).hash, kit.content(5_000_000).hash)
  answers.forEach(drop)
  t.ok(await eventually(() => origin.requests.every(({ closed, target }) => closed || target === '/other')))
})

t.test('live bodies take no connection from files', async t => {
  const origin = await kit.rawOrigin(t, request => (request.target === '/live' ? kit.endless({ everyMs: 50, pieceBytes: 100 }) : kit.answer())(request))
  const { upstream } = await open(t, origin.url, { connections: 4 })
  const viewers = await Promise.all(Array.from({ length: 140 }, async () => await get(upstream.live, '/live')))
  const bytes = viewers.map(() => 0)
  viewers.forEach(({ body }, place) => (body as Readable).on('data', (piece: Buffer) => { bytes[place] = (bytes[place] ?? 0) + piece.length }).on('error', () => {}))
  t.ok(await eventually(() => bytes.every(count => count > 300)), 'all of them see something, and more of it')
  for (let time = 0; time < 20; time++) t.equal((await get(upstream, '/file')).status, 200)
  viewers.forEach(drop)
  t.ok(await eventually(() => origin.requests.every(({ closed, target }) => closed || target === '/file')))
})
