import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { Agent, request as ask } from 'undici'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../../../../lib/upstream/message.ts'
import { responseRewriter, type RewriteOptions } from '../../../../lib/upstream/rewrite/response-rewriter.ts'
import { rewritingSender } from '../../../../lib/upstream/rewrite/rewriting-sender.ts'
import type { Test } from '../../../helpers/app.ts'
import { eventually } from '../../../helpers/process.ts'

interface Origin {
  readonly url: URL
  readonly sender: Sender
  /** What it was asked, in order. */
  readonly asked: Fields[]
}

/** An origin on a socket of its own, and a sender that asks it and nothing more. */
async function origin (t: Test, listener: RequestListener): Promise<Origin> {
  const asked: Fields[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers as Fields)
    listener(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`)
  const dispatcher = new Agent()
  t.teardown(async () => {
    await dispatcher.destroy()
    server.closeAllConnections()
    server.close()
  })
  const sender: Sender = {
    name: 'origin',
    async send ({ method, path, headers, signal }) {
      const { statusCode, headers: fields, body } = await ask(new URL(path, url.origin), { method: method as 'GET', headers, signal, dispatcher })
      return { status: statusCode, headers: fields as Fields, body, trailers: () => undefined }
    }
  }
  return { url, sender, asked }
}

function optionsFor (url: URL, rest: Partial<RewriteOptions> = {}): RewriteOptions {
  return { origins: [url], mountPrefix: '/cdn', locations: true, cookies: 'adapt', types: ['text/html', 'application/vnd.apple.mpegurl'], urls: true, replace: [], ...rest }
}

async function textOf ({ body }: UpstreamResponse): Promise<string> {
  return Buffer.isBuffer(body) ? body.toString() : Buffer.concat(await body.toArray()).toString()
}

const get = (headers: Fields = {}): UpstreamRequest => ({ method: 'GET', path: '/base/page', headers })

t.test('a page over a socket leads to the mount, whatever the chunks, encoded or not', async t => {
  const { url, sender } = await origin(t, (request, response) => {
    const page = Buffer.from(`<a href="${url.href}x">\n`.repeat(20_000))
    const encoded = request.headers['accept-encoding'] === 'gzip'
    response.writeHead(200, { 'content-type': 'text/html', ...encoded ? { 'content-encoding': 'gzip' } : {} })
    Readable.from([encoded ? gzipSync(page) : page]).pipe(response)
  })
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(url)))
  t.equal(rewriting.name, 'origin')
  for (const headers of [{}, { 'accept-encoding': 'gzip, zstd' }]) {
    const answer = await rewriting.send(get(headers))
    t.equal(answer.headers['content-encoding'], undefined)
    t.equal(await textOf(answer), '<a href="/cdn/x">\n'.repeat(20_000))
  }
})

t.test('a part of a page is asked for again as a whole, a part of a film is not', async t => {
  const { url, sender, asked } = await origin(t, ({ headers, url: path }, response) => {
    const type = path === '/base/film' ? 'video/mp4' : 'text/html'
    if (headers.range === undefined) response.writeHead(200, { 'content-type': type }).end(`"${url.href}x"`)
    else response.writeHead(206, { 'content-type': type, 'content-range': 'bytes 0-4/40' }).end('"http')
  })
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(url)))
  const range = { range: 'bytes=0-4', 'if-range': '"e"' }
  const page = await rewriting.send(get(range))
  t.same([page.status, await textOf(page), page.headers['content-range']], [200, '"/cdn/x"', undefined])
  t.same(asked.map(({ range }) => range), ['bytes=0-4', undefined])
  t.equal(asked[1]?.['if-range'], undefined)
  const film = await rewriting.send({ ...get(range), path: '/base/film' })
  t.same([film.status, await textOf(film), film.headers['content-range']], [206, '"http', 'bytes 0-4/40'])
  t.equal(asked.length, 3)
})

t.test('an origin that sends a part unasked is not believed', async t => {
  const asked: UpstreamRequest[] = []
  const bodies: Readable[] = []
  const sender: Sender = {
    name: 'liar',
    async send (request) {
      asked.push(request)
      const body = new Readable({ read () {} })
      bodies.push(body)
      return { status: 206, headers: { 'content-type': 'text/html' }, body: asked.length % 2 === 0 ? Buffer.from('part') : body, trailers: () => undefined }
    }
  }
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(new URL('http://origin/'))))
  await t.rejects(rewriting.send(get({ range: 'bytes=0-4' })), { code: 'upstream-malformed', detail: /liar/ })
  t.equal(asked.length, 2)
  t.equal(bodies[0]?.destroyed, true, 'the first body is given up')
  await t.rejects(rewriting.send({ method: 'POST', path: '/base/x', headers: { range: 'bytes=0-4' }, body: Buffer.from('once') }), { code: 'upstream-malformed' })
  t.equal(asked.length, 3, 'what has a body is sent once')
  t.equal(asked[2]?.headers.range, undefined)
})

t.test('conditionals go there and back', async t => {
  const { url, sender, asked } = await origin(t, ({ headers }, response) => {
    if (headers['if-none-match'] === '"v1"') response.writeHead(304, { etag: '"v1"' }).end()
    else response.writeHead(200, { 'content-type': 'text/html', etag: '"v1"' }).end('page')
  })
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(url)))
  const first = await rewriting.send(get())
  await textOf(first)
  const tag = first.headers.etag as string
  const again = await rewriting.send(get({ 'if-none-match': tag }))
  t.same([again.status, again.headers.etag, asked[1]?.['if-none-match']], [304, tag, '"v1"'])
  const changed = rewritingSender(sender, responseRewriter(optionsFor(url, { replace: [{ from: 'page', to: 'PAGE' }] })))
  const anew = await changed.send(get({ 'if-none-match': tag }))
  t.same([anew.status, await textOf(anew)], [200, 'PAGE'], 'other changes, another body')
})

t.test('live bytes go on as they come, save the beginning of a URL', async t => {
  let write: (text: string) => void = () => {}
  const { url, sender } = await origin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' })
    write = text => { response.write(text) }
    write('begin')
  })
  const { body } = await rewritingSender(sender, responseRewriter(optionsFor(url))).send(get())
  let seen = ''
  ;(body as Readable).on('data', chunk => { seen += String(chunk) })
  await eventually(() => seen === 'begin')
  write(' more http://127.0')
  await eventually(() => seen === 'begin more ')
  write('.0.2 ')
  await eventually(() => seen === 'begin more http://127.0.0.2 ')
  ;(body as Readable).destroy()
})

t.test('a client that leaves ends the exchange, also while the origin is silent', async t => {
  let request: IncomingMessage | undefined
  let isGone = false
  const { url, sender } = await origin(t, (incoming, response) => {
    request = incoming
    response.on('close', () => { isGone = true })
    response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' })
    response.write(gzipSync('silence').subarray(0, 12))
  })
  const { body } = await rewritingSender(sender, responseRewriter(optionsFor(url))).send(get())
  t.notOk(request?.destroyed)
  const stream = body as Readable
  stream.on('error', () => {})
  stream.resume()
  stream.destroy()
  await eventually(() => isGone)
})

t.test('an origin that dies midway, or sends another coding than it says, is a failure and not an end', async t => {
  const { url, sender } = await origin(t, ({ url: path }, response) => {
    if (path === '/base/liar') {
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end('no gzip at all')
      return
    }
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': '1000' })
    response.write('half', () => response.destroy())
  })
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(url)))
  await t.rejects(textOf(await rewriting.send({ ...get(), path: '/base/liar' })), { code: 'upstream-content' })
  await t.rejects(textOf(await rewriting.send(get())))
})

t.test('interim answers lead to the mount too', async t => {
  const seen: unknown[] = []
  const sender: Sender = {
    name: 'hinting',
    async send ({ onInformation }) {
      onInformation?.(103, { link: '</base/a.css>; rel=preload' })
      return { status: 200, headers: {}, body: Buffer.alloc(0), trailers: () => undefined }
    }
  }
  const rewriting = rewritingSender(sender, responseRewriter(optionsFor(new URL('http://origin/base'))))
  await rewriting.send({ ...get(), onInformation: (status, headers) => { seen.push([status, headers]) } })
  t.same(seen, [[103, { link: '</cdn/a.css>; rel=preload' }]])
  await rewriting.send(get())
  t.equal(seen.length, 1)
})

t.test('a body of a gigabyte in a megabyte flows at the pace of its reader, in flat memory', async t => {
  const member = gzipSync(Buffer.alloc(16 * 1024 * 1024, 'http://origi'))
  const bomb = Buffer.concat(Array.from({ length: 64 }, () => member))
  const rewriting = rewritingSender({
    name: 'bomber',
    send: async () => ({ status: 200, headers: { 'content-type': 'text/html', 'content-encoding': 'gzip' }, body: bomb, trailers: () => undefined })
  }, responseRewriter(optionsFor(new URL('http://origin/base'))))
  const { body } = await rewriting.send(get())
  const before = process.memoryUsage().rss
  let most = 0
  let read = 0
  for await (const chunk of body as Readable) {
    read += (chunk as Buffer).length
    await new Promise(resolve => { setImmediate(resolve) }) // slower than the decoder
    most = Math.max(most, process.memoryUsage().rss - before)
    if (read > 128 * 1024 * 1024) break
  }
  t.ok((body as Readable).destroyed)
  t.ok(most < 100 * 1024 * 1024, `${Math.round(most / 1024 / 1024)} MB more while ${Math.round(read / 1024 / 1024)} MB of 1024 were read`)
})
