// Streams without an end (HTTP-FLV), and HLS, through `live` mounts, over real sockets.
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import media from '../../app.ts'
import { MediaError } from '../../lib/errors.ts'
import type { Sender } from '../../lib/upstream/message.ts'
import { serverOptions } from '../../plugins/errors.ts'
import type { ProxyHooks } from '../../plugins/proxy.ts'
import { ask, serve, type Served, type Test } from '../helpers/app.ts'
import { content, origin, taken, type Origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { memoryInUse } from './memory.ts'
import { watch, type Viewer } from './viewer.ts'

type Options = Record<string, unknown>

/** What the issue allows in flight: buffers of both kernels' sides, of the connection and of the stream. */
const IN_FLIGHT_BYTES = 16_000_000

/** An origin of streams below /live, which the test writes, and of a file of 20 KB at every other path. */
interface Studio extends Origin {
  /** Streams under way, in the order in which they were asked for. */
  readonly streams: ServerResponse[]
}

const file = content(20_000)

async function studio (t: Test): Promise<Studio> {
  const streams: ServerResponse[] = []
  const far = await origin(t, ({ url = '' }, response) => {
    if (!url.startsWith('/live')) {
      response.end(file.bytes())
      return
    }
    streams.push(response)
    response.once('close', () => { streams.splice(streams.indexOf(response), 1) })
    response.writeHead(200, { 'content-type': 'video/x-flv' }).flushHeaders()
  })
  return Object.assign(far, { streams }) // `far` keeps its getters
}

/** The upstream `media` with a mount of streams, /live, and one of files, /files. */
async function broadcasting (t: Test, url: string, { upstream = {}, upstreams = {}, hooks }: { upstream?: Options, upstreams?: Options, hooks?: ProxyHooks } = {}): Promise<Served> {
  return await serve(t, async app => await app.register(media, {
    upstreams: { media: { origins: [{ url }], ...upstream }, ...upstreams },
    mounts: [
      { prefix: '/live', delivery: 'proxy', upstream: 'media', upstreamPath: '/live', live: true },
      { prefix: '/files', delivery: 'proxy', upstream: 'media' }
    ],
    ...(hooks === undefined ? {} : { upstreamHooks: { '/live': hooks } })
  }), serverOptions)
}

/** Watches, and waits until the origin knows. */
async function watched (t: Test, served: Served, far: Studio, path: string): Promise<{ viewer: Viewer, stream: ServerResponse }> {
  const viewer = await watch(t, served, path)
  return { viewer, stream: far.streams.at(-1) as ServerResponse }
}

/** Writes as much as is taken, until so many bytes are out. */
async function pour (stream: ServerResponse, piece: Buffer, bytes: number): Promise<void> {
  for (let out = 0; out < bytes; out += piece.length) if (!stream.write(piece)) await once(stream, 'drain')
}

t.test('the head, and each piece, reach the viewer before the origin writes the next', async t => {
  const far = await studio(t)
  const { viewer, stream } = await watched(t, await broadcasting(t, far.url), far, '/live/a.flv')
  t.match([viewer.response.headers['content-type'], viewer.bytes], ['video/x-flv', 0], 'the head waits for no byte')
  const took: number[] = []
  let sent = 0
  for (let round = 0; round < 200; round++) {
    const piece = content([1, 13, 1500, 70_000][round % 4] as number).bytes()
    sent += piece.length
    const began = performance.now()
    stream.write(piece)
    await viewer.seen(sent)
    took.push(performance.now() - began)
  }
  t.equal(viewer.bytes, sent)
  const median = took.toSorted((a, b) => a - b)[100] as number
  t.ok(median < 50, `half of the pieces are there within ${median.toFixed(1)} ms`)
})

t.test('140 viewers of one origin all see each piece, and files of the same upstream keep flowing', async t => {
  const far = await studio(t)
  const served = await broadcasting(t, far.url, { upstream: { connections: 4 } })
  const viewers = await Promise.all(Array.from({ length: 140 }, async () => await watch(t, served, '/live/a.flv')))
  await eventually(() => far.streams.length === 140)
  for (let round = 1; round <= 10; round++) {
    for (const stream of far.streams) stream.write(file.bytes())
    const files = await Promise.all(Array.from({ length: 8 }, async () => await ask(served, '/files/a.jpg')))
    for (const { body } of files) t.equal((await taken(body)).hash, file.hash)
    await Promise.all(viewers.map(async viewer => await viewer.seen(round * file.size)))
  }
  t.equal(far.streams.length, 140)
  t.ok(far.connections <= 144, 'files have the four connections of their own, however many watch')
})

t.test('a viewer who stops reading slows no other, and holds little of the stream', async t => {
  const far = await studio(t)
  const served = await broadcasting(t, far.url)
  const stopped = await watched(t, served, far, '/live/a.flv')
  const reading = await watched(t, served, far, '/live/a.flv')
  const piece = content(64 * 1024).bytes()
  stopped.viewer.stop()
  void pour(stopped.stream, piece, 200_000_000).catch(() => {}) // it never gets there
  await Promise.all([pour(reading.stream, piece, 200_000_000), reading.viewer.seen(200_000_000)])
  const held = stopped.stream.socket?.bytesWritten as number
  t.ok(held < IN_FLIGHT_BYTES, `${held} bytes are on their way to who does not read, while another read 200 MB`)
  t.notOk(stopped.viewer.isOver, 'who is slow may go on')
})

t.test('memory stays flat over 10,000 seconds of stream: 25 tags a second, 300 MB', async t => {
  const far = await studio(t)
  const { viewer, stream } = await watched(t, await broadcasting(t, far.url), far, '/live/a.flv')
  const tag = content(1200).bytes()
  const thousandSeconds = 25_000 * tag.length
  await pour(stream, tag, thousandSeconds)
  await viewer.seen(thousandSeconds)
  const before = memoryInUse()
  await pour(stream, tag, 9 * thousandSeconds)
  await viewer.seen(10 * thousandSeconds)
  t.equal(viewer.bytes, 300_000_000)
  const { heapUsed, rss } = memoryInUse()
  t.ok(heapUsed - before.heapUsed < 8_000_000, `${heapUsed - before.heapUsed} bytes more are in the heap: nothing stays of 225,000 tags`)
  t.ok(rss - before.rss < 100_000_000, `${rss - before.rss} bytes more are resident`)
  t.ok(await eventually(() => memoryInUse().arrayBuffers - before.arrayBuffers < 8_000_000), 'no buffer stays')
})

t.test('the app finds the node that holds a stream, by any lookup, and each gets its viewers', async t => {
  const nodes = [await studio(t), await studio(t)] as const
  const found: string[] = []
  const served = await broadcasting(t, nodes[0].url, {
    upstreams: { second: { origins: [{ url: nodes[1].url }], connections: 1 } },
    hooks: {
      async resolve ({ url }) {
        await new Promise(resolve => setImmediate(resolve)) // as a registry of streams would take its time
        const name = /^\/live\/(\w+)\.flv$/.exec(url)?.[1] ?? ''
        found.push(name)
        if (name === 'gone') throw new MediaError('not-found')
        return name === 'b' ? 'second' : undefined
      }
    }
  })
  const viewers = await Promise.all(['a', 'b', 'b', 'b'].map(async name => await watch(t, served, `/live/${name}.flv`)))
  t.same(found, ['a', 'b', 'b', 'b'])
  t.match([nodes[0].streams.length, nodes[1].streams.length], [1, 3], 'what is named is asked over its connections for streams')
  for (const stream of nodes.flatMap(node => node.streams)) stream.write('tag')
  await Promise.all(viewers.map(async viewer => await viewer.seen(3)))
  t.match(await ask(served, '/live/gone.flv'), { status: 404 })
  t.equal(nodes[0].requests.length + nodes[1].requests.length, 4)
})

t.test('a sender of the app\'s own is a stream as any other', async t => {
  const stream = new PassThrough()
  const own: Sender = { name: 'studio', send: async () => ({ status: 200, headers: { 'content-type': 'video/x-flv' }, body: stream, trailers: () => undefined }) }
  const served = await broadcasting(t, 'http://127.0.0.1:1', { hooks: { resolve: () => own } })
  stream.write(file.bytes())
  const viewer = await watch(t, served, '/live/a.flv')
  for (let round = 1; round <= 20; round++) {
    await viewer.seen(round * file.size)
    stream.write(file.bytes())
  }
  viewer.leave()
  t.ok(await eventually(() => stream.destroyed), 'it hears when its viewer leaves')
})

t.test('a silent stream waits on a live mount, and is cut on any other', async t => {
  const far = await studio(t)
  const served = await serve(t, async app => await app.register(media, {
    upstreams: { media: { origins: [{ url: far.url }], idleTimeoutMs: 300, resumes: 0 } },
    mounts: [{ prefix: '/live', delivery: 'proxy', upstream: 'media', upstreamPath: '/live', live: true }, { prefix: '/other', delivery: 'proxy', upstream: 'media', upstreamPath: '/live' }]
  }), serverOptions)
  const patient = await watched(t, served, far, '/live/a.flv')
  patient.stream.write('tag')
  await patient.viewer.seen(3)
  for (let time = 0; time < 2; time++) {
    const { viewer } = await watched(t, served, far, '/other/a.flv')
    t.ok(await eventually(() => viewer.isOver), 'cut')
  }
  t.notOk(patient.viewer.isOver)
  patient.stream.write('tag')
  await patient.viewer.seen(6)
  t.equal(far.streams.length, 1)
})

t.test('viewers who leave free their connections at the origin at once', async t => {
  const far = await studio(t)
  const served = await broadcasting(t, far.url, { upstream: { liveConnections: 20 } })
  const watching = async (count: number): Promise<Viewer[]> => await Promise.all(Array.from({ length: count }, async () => await watch(t, served, '/live/a.flv')))
  const [staying, ...leaving] = await watching(20)
  for (const viewer of leaving) viewer.leave()
  t.ok(await eventually(() => far.streams.length === 1))
  t.equal(far.aborted, 19)
  const others = await watching(19)
  for (const stream of far.streams) stream.write('tag')
  await Promise.all([staying as Viewer, ...others].map(async viewer => await viewer.seen(3)))
  for (const viewer of others) viewer.leave()
  t.ok(await eventually(() => far.streams.length === 1), 'and those who came in their place, too')
})

t.test('HLS: playlists are fresh at each look, segments come whole and in parts', async t => {
  const segments = [content(900_000, 1), content(900_000, 2), content(900_000, 3)]
  let first = 0
  const far = await origin(t, ({ url = '', headers }, response) => {
    const segment = segments[Number(/seg(\d)/.exec(url)?.[1])]
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
    if (segment === undefined) {
      const lines = [`#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}`, ...[first, first + 1].map(place => `#EXTINF:4,\nseg${place}.ts?token=a%2Fb`)]
      response.writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': 'max-age=1' }).end(`${lines.join('\n')}\n`)
    } else if (from === undefined) response.writeHead(200, { 'content-type': 'video/mp2t' }).end(segment.bytes())
    else response.writeHead(206, { 'content-type': 'video/mp2t', 'content-range': `bytes ${from}-${to}/${segment.size}` }).end(segment.bytes(Number(from), Number(to) + 1))
  })
  const served = await broadcasting(t, far.url)
  for (first = 0; first < 2; first++) {
    const playlist = await ask(served, '/live/a/index.m3u8')
    t.match([playlist.headers['content-type'], playlist.headers['cache-control']], ['application/vnd.apple.mpegurl', 'max-age=1'])
    const names = playlist.text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    t.same(names, [`seg${first}.ts?token=a%2Fb`, `seg${first + 1}.ts?token=a%2Fb`])
    for (const [place, name] of names.entries()) {
      const { pathname, search } = new URL(name, `${served.url}/live/a/index.m3u8`)
      t.equal((await taken((await ask(served, pathname + search)).body)).hash, segments[first + place]?.hash)
    }
  }
  t.equal(far.requests.at(-1)?.url, '/live/a/seg2.ts?token=a%2Fb')
  const part = await ask(served, '/live/a/seg1.ts', { headers: { range: 'bytes=1000-1999' } })
  t.match([part.status, part.body.equals(segments[1]?.bytes(1000, 2000) as Buffer)], [206, true])
})
