// Every recipe of docs/upstreams.md as it stands there, in front of real servers.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fp from 'fastify-plugin'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { parse } from 'yaml'
import media, { type MediaOptions } from '../../app.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { packageRoot } from '../../lib/package-root.ts'
import { purge } from '../../lib/purge.ts'
import { serverOptions } from '../../plugins/errors.ts'
import { ask, scratch, serve, serveMedia, type Test } from '../helpers/app.ts'
import { certificate, noOpenssl } from '../helpers/certificates.ts'
import { picturesToServe } from '../helpers/images.ts'
import { noNginx } from '../helpers/nginx.ts'
import { content, origin, type Origin } from '../helpers/origin.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { nginxOrigin, type NginxOrigin } from './nginx-origin.ts'
import { memoryInUse } from './memory.ts'
import { blockOf, blocks, furnish, headings, recipe, used } from './recipe.ts'
import { watch } from './viewer.ts'

const nginx = { skip: noNginx ?? false }

t.test('every block of the page is a configuration that holds', async t => {
  const base = await furnish(await scratch(t))
  t.ok(blocks.length >= 12)
  for (const block of blocks) t.ok(await resolveConfig(JSON.parse(block.replaceAll('/etc/media/', `${base}/`)), { base }), block)
  const [, readme = ''] = /## Other servers\n[^]*?```yaml\n([^]*?)```/.exec(await readFile(join(packageRoot, 'README.md'), 'utf8')) ?? []
  t.equal((await resolveConfig(parse(readme), { base })).config.mounts.length, 4, 'and so is that of the README')
})

t.test('An image server behind a prefix', nginx, async t => {
  const cat = content(50_000).bytes()
  const images = await nginxOrigin(t, {
    files: { 'backend/assets/cats/tom.jpg': cat, 'secret.jpg': 'secret' },
    server: 'location = /backend/assets/login { add_header Set-Cookie "id=1; Domain=images.internal; Path=/backend/assets/; Secure"; return 204; }'
  })
  const served = await serveMedia(t, recipe('An image server behind a prefix', { 'http://images.internal:8080': images.url }))
  const tom = await ask(served, '/api/images/cats/tom.jpg?v=3')
  t.match([tom.status, tom.headers['content-type'], tom.body.equals(cat)], [200, 'image/jpeg', true])
  t.match(await ask(served, '/api/images/cats/tom.jpg', { headers: { 'if-none-match': tom.headers.etag as string } }), { status: 304 })
  t.match(await ask(served, '/api/images/cats/tom.jpg', { headers: { range: 'bytes=10-19' } }), { status: 206, text: cat.toString('utf8', 10, 20) })
  t.match(await ask(served, '/api/images/cats/tom.jpg', { method: 'HEAD' }), { status: 200, headers: { 'content-length': '50000' } })
  t.equal((await ask(served, '/api/images/../../secret.jpg')).status, 400)
  t.equal((await ask(served, '/api/images/%2e%2e/%2e%2e/secret.jpg')).status, 400)
  t.same(await images.requests(), ['GET /backend/assets/cats/tom.jpg?v=3 200', 'GET /backend/assets/cats/tom.jpg 304', 'GET /backend/assets/cats/tom.jpg 206', 'HEAD /backend/assets/cats/tom.jpg 200'])
  const moved = await ask(served, '/api/images/cats?size=2')
  t.match([moved.status, moved.headers.location], [301, '/api/images/cats/?size=2'], 'the origin names itself, the client hears of the mount')
  t.same((await ask(served, '/api/images/login')).headers['set-cookie'], ['id=1; Path=/api/images/; Secure'])
})

t.test('Virtual hosts', nginx, async t => {
  const sites = await nginxOrigin(t, { files: { 'a.example/x': 'of a', 'b.example/x': 'of b' }, server: 'location / { try_files /$host$uri =404; }' })
  const served = await serveMedia(t, recipe('Virtual hosts', { 'http://sites.internal:8080': sites.url }))
  for (const [host, text] of [['a.example', 'of a'], ['b.example:8080', 'of b']] as const) t.match(await ask(served, '/x', { headers: { host } }), { status: 200, text })
  t.match(await ask(served, '/x'), { status: 404 })
})

t.test('A site that names itself', nginx, async t => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const page = `<a href="${url}/a.html">a</a><img src="/logo.png"><script src="//127.0.0.1:${port}/s.js"></script><a href="https://www.example.com/about">us</a><a href="https://other.example/">them</a>`
  const site = await nginxOrigin(t, {
    port,
    files: { 'index.html': page, 'style.css': `a { background: url(/bg.png), url("${url}/b.png") }`, 'next.json': JSON.stringify({ next: `${url}/page/2` }).replaceAll('/', '\\/'), 'film.mp4': url },
    server: 'gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;'
  })
  const served = await serveMedia(t, recipe('A site that names itself', { 'http://site.internal:8080': site.url }))
  const seen = await ask(served, '/site/', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(seen.text, '<a href="/site/a.html">a</a><img src="/site/logo.png"><script src="/site/s.js"></script><a href="/site/about">us</a><a href="https://other.example/">them</a>')
  t.equal((await ask(served, '/site/style.css')).text, 'a { background: url(/site/bg.png), url("/site/b.png") }')
  t.same(JSON.parse((await ask(served, '/site/next.json')).text), { next: '/site/page/2' })
  t.equal((await ask(served, '/site/film.mp4')).text, url, 'no text, and not looked at')
  t.match(seen.headers.etag, /^W\/"/)
  t.match(await ask(served, '/site/', { headers: { 'accept-encoding': 'gzip', 'if-none-match': seen.headers.etag as string } }), { status: 304 })
  t.match(await ask(served, '/site/', { headers: { range: 'bytes=0-9' } }), { status: 200, text: seen.text })
})

t.test('Files of 200 MB and more', nginx, async t => {
  const film = content(200 * 1024 * 1024)
  const first = await nginxOrigin(t, {})
  const second = await nginxOrigin(t, { root: first.root })
  await writeFile(join(first.root, 'film.mp4'), film.pieces()) // in pieces, so that none of it stays in memory
  const served = await serveMedia(t, recipe('Files of 200 MB and more', { 'http://films-1.internal': first.url, 'http://films-2.internal': second.url }))
  const busy = async (): Promise<number> => (JSON.parse((await ask(served, '/health/ready')).text) as { upstreams: { films: Array<{ pending: number }> } }).upstreams.films.findIndex(({ pending }) => pending > 0)

  const [response] = await once(get({ host: '127.0.0.1', port: served.port, path: '/films/film.mp4', agent: false }), 'response') as [IncomingMessage]
  const before = memoryInUse()
  const hash = createHash('sha256')
  let [bytes, most] = [0, 0]
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk)
    if (bytes < 50_000_000 && bytes + chunk.length >= 50_000_000) await [first, second][await busy()]?.kill()
    if (Math.floor(bytes / 20_000_000) !== Math.floor((bytes + chunk.length) / 20_000_000)) most = Math.max(most, memoryInUse().arrayBuffers - before.arrayBuffers)
    bytes += chunk.length
  }
  t.equal(hash.digest('hex'), film.hash, 'one unbroken body, though its server ended in the middle')
  t.equal(served.logs.filter(({ msg }) => msg === 'The rest of a download is fetched').length, 1)
  t.ok(most < 64_000_000, `${most} bytes are held at most`)
  const part = await ask(served, '/films/film.mp4', { headers: { range: 'bytes=200000000-200000999' } })
  t.match([part.status, part.body.equals(film.bytes(200_000_000, 200_001_000))], [206, true])
})

t.test('Redirect or proxy', nginx, async t => {
  const films = await nginxOrigin(t, { files: { 'files/film.mp4': 'the whole film', 'secret.txt': 'secret' } })
  const base = `${films.url}/files`
  const served = await serveMedia(t, recipe('Redirect or proxy', { 'http://films.internal/files': base, 'https://films.example.com/files': base }))
  const sent = await ask(served, '/downloads/film.mp4?token=a')
  t.match([sent.status, sent.headers.location, sent.headers['cache-control']], [307, `${base}/film.mp4?token=a`, 'public, max-age=60'])
  t.equal(await (await fetch(sent.headers.location as string)).text(), 'the whole film', 'who follows gets there')
  t.match(await ask(served, '/downloads/%2e%2e/secret.txt'), { status: 400 })
  t.match(await ask(served, '/films/film.mp4'), { status: 302, headers: { location: `${base}/film.mp4`, vary: /Range/ } })
  for (const headers of [{ prefer: 'proxy' }, { 'sec-fetch-mode': 'cors' }, { 'user-agent': 'AppleTV/tvOS 18' }] as Array<Record<string, string>>) {
    t.match(await ask(served, '/films/film.mp4', { headers }), { status: 200, text: 'the whole film' }, JSON.stringify(headers))
  }
  t.match(await ask(served, '/films/film.mp4', { headers: { range: 'bytes=4-8' } }), { status: 206, text: 'whole' })
})

t.test('Pictures of another server, in any size', nginx, async t => {
  const { 'cat.jpg': cat = '' } = await picturesToServe()
  const shop = await nginxOrigin(t, { files: { 'static/photos/cat.jpg': cat, 'static/prices.json': '{}' } })
  const config = recipe('Pictures of another server, in any size', { 'http://shop.internal/static': shop.url + '/static' })
  const served = await serveMedia(t, { ...config, images: { workers: 1, cache: { directory: await scratch(t) } } })
  t.match(await ask(served, '/photos/cat.jpg?preset=card'), { status: 200, headers: { 'content-type': 'image/webp', 'cache-control': 'public, max-age=3600' } })
  t.match(await ask(served, '/photos/cat.jpg?w=64&f=auto', { headers: { accept: 'image/webp' } }), { status: 200, headers: { 'content-type': 'image/webp', 'x-cache': 'made' } })
  t.same((await ask(served, '/photos/cat.jpg')).body, cat)
  t.same(await shop.requests(), ['GET /static/photos/cat.jpg 200'], 'one request to the origin for all of them')
  t.match(await ask(served, '/photos/none.jpg'), { status: 404 })
  t.match(await ask(served, '/photos/%2e%2e/prices.json'), { status: 400 })
})

t.test('Pictures whose URL the client names', nginx, async t => {
  const { 'cat.jpg': cat = '' } = await picturesToServe()
  const images = await nginxOrigin(t, { files: { 'cat.jpg': cat, 'large.jpg': Buffer.concat([Buffer.from(cat), Buffer.alloc(20_000_001)]) }, server: 'location /away { return 302 http://169.254.169.254/latest/meta-data/; }' })
  const heading = 'Pictures whose URL the client names'
  const asItIs = await serveMedia(t, recipe(heading, {}))
  for (const url of [`${images.url}/cat.jpg`, 'https://cdn.example.com/cat.jpg', 'http://images.example.com/cat.jpg', 'https://images.example.com:444/cat.jpg', 'http://169.254.169.254/latest/meta-data/']) {
    t.match(await ask(asItIs, `/remote/${url}`), { status: 403, text: /remote-forbidden/ }, url)
  }
  // Loopback is no public address, so that the recipe alone would refuse this origin.
  const config = recipe(heading, { 'https://images.example.com': images.url })
  const sources = { elsewhere: { ...config.sources?.elsewhere as { driver: 'remote', allow: string[] }, addresses: 'any' as const } }
  const served = await serveMedia(t, { ...config, sources, images: { workers: 1, cache: { directory: await scratch(t) } } })
  const url = `${images.url}/cat.jpg`
  for (const spelled of [url, url.replace('//', '/'), encodeURIComponent(url), Buffer.from(url).toString('base64url')]) {
    t.match(await ask(served, `/remote/${spelled}?w=32`), { status: 200, headers: { 'content-type': 'image/jpeg', 'cache-control': 'public, max-age=86400' } }, spelled)
  }
  t.match(await ask(served, `/remote/${images.url}/away`), { status: 502, text: /upstream-redirects/ })
  t.match(await ask(served, `/remote/${images.url}/large.jpg`), { status: 502, text: /upstream-too-large/ })
  t.same((await images.requests()).filter(line => line.includes('cat.jpg')), ['GET /cat.jpg 200'])
  await t.rejects(serveMedia(t, { ...config, sources: { elsewhere: { ...sources.elsewhere, addresses: 'public' as const } } }), /Expected a public host/, 'a rule that could never allow anything is a mistake')
})

t.test('Several origins', nginx, async t => {
  const server = 'location = /health { return 200; } location = /sick { return 500; } location / { return 200 "$server_port"; }'
  const [first, second, third] = [await nginxOrigin(t, { server }), await nginxOrigin(t, { server }), await nginxOrigin(t, { server })]
  const config = recipe('Several origins', { 'http://assets-1.internal': first.url, 'http://assets-2.internal': second.url, 'http://assets-3.internal': third.url })
  const served = await serve(t, async app => await app.register(fp(async (inner, options: typeof config) => await media(inner, options)), config), serverOptions)
  const answers = async (count: number): Promise<Record<string, number>> => {
    const tally: Record<string, number> = {}
    for (let request = 0; request < count; request++) {
      const { status, text } = await ask(served, '/assets/x')
      const who = status === 200 ? text : String(status)
      tally[who] = (tally[who] ?? 0) + 1
    }
    return tally
  }
  const states = async (): Promise<string[]> => {
    const ready = await ask(served, '/health/ready')
    if (ready.status !== 200 || ready.text.includes('127.0.0.1')) throw new Error(ready.text)
    return (JSON.parse(ready.text) as { upstreams: { assets: Array<{ state: string }> } }).upstreams.assets.map(({ state }) => state)
  }
  t.same(await answers(20), { [first.port]: 15, [second.port]: 5 }, 'three to one, and nothing for who drains')
  for (let request = 0; request < 40; request++) await ask(served, '/assets/sick')
  t.same(await states(), ['up', 'up', 'draining'], 'a 500 is an answer')
  await first.kill()
  t.same(await answers(4), { [second.port]: 4 }, 'a server that ended is no failure to anybody')
  await eventually(async () => (await states())[0] === 'unhealthy')
  await nginxOrigin(t, { server, port: first.port })
  await eventually(async () => (await states())[0] === 'up')
  const { upstreams } = served.app
  upstreams?.drain('assets[0]')
  upstreams?.drain('assets[2]', false)
  t.same(await states(), ['draining', 'up', 'up'])
  t.same(await answers(4), { [second.port]: 2, [third.port]: 2 })
})

t.test('A private authority, a client certificate, HTTP/2', { skip: noNginx ?? noOpenssl ?? false }, async t => {
  const [good, ca, client] = [certificate('good'), certificate('ca'), certificate('client')]
  const vault = await nginxOrigin(t, {
    listen: 'ssl http2',
    server: `ssl_certificate ${good.certFile}; ssl_certificate_key ${good.keyFile}; ssl_client_certificate ${ca.certFile}; ssl_verify_client on;
      location / { return 200 "$server_protocol $ssl_client_s_dn"; }`
  })
  const heading = 'A private authority, a client certificate, HTTP/2'
  const places = { 'https://vault.internal': vault.url, '/etc/media/authority.pem': ca.certFile, '/etc/media/client.pem': client.certFile, '/etc/media/client.key': client.keyFile }
  const served = await serveMedia(t, recipe(heading, places))
  t.match(await ask(served, '/vault/a'), { status: 200, text: 'HTTP/2.0 CN=client' })
  const doubtful = await serveMedia(t, recipe(heading, { ...places, '/etc/media/authority.pem': certificate('foreign-ca').certFile }))
  t.match(await ask(doubtful, '/vault/a'), { status: 502, text: /upstream-tls/ }, 'who is not known is not asked')
  const unknown = await serveMedia(t, recipe(heading, { ...places, '/etc/media/client.pem': certificate('foreign-client').certFile, '/etc/media/client.key': certificate('foreign-client').keyFile }))
  t.match(await ask(unknown, '/vault/a'), { status: 400, text: /certificate/i }, 'who shows another certificate gets the answer that the server gives')
})

/** A studio: nginx with playlists and segments, in front of what makes endless streams. */
async function studio (t: Test, name: string, encoder: Origin): Promise<NginxOrigin> {
  const port = await freePort()
  const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:4', '#EXTINF:4,', `http://127.0.0.1:${port}/live/${name}/1.ts`, '#EXTINF:4,', '2.ts', '']
  return await nginxOrigin(t, {
    port,
    files: { [`live/${name}/index.m3u8`]: lines.join('\n'), [`live/${name}/1.ts`]: `first of ${name}`, [`live/${name}/2.ts`]: `second of ${name}` },
    server: `location ~ \\.flv$ { proxy_pass ${encoder.url}; proxy_http_version 1.1; proxy_buffering off; }`
  })
}

t.test('Live: HTTP-FLV and HLS', nginx, async t => {
  const streams: ServerResponse[] = []
  const encoder = await origin(t, (_request, response) => {
    streams.push(response.writeHead(200, { 'content-type': 'video/x-flv' }))
    response.flushHeaders()
  })
  const [one, two] = [await studio(t, 'one', encoder), await studio(t, 'two', encoder)]
  const heading = 'Live: HTTP-FLV and HLS'
  const code = await scratch(t, { 'hooks.mjs': blockOf(heading, 'js').replace('./streams.js', './streams.mjs'), 'streams.mjs': 'export const studioOf = async name => name === "two" ? "studio-b" : undefined' })
  const { upstreamHooks } = await import(join(code, 'hooks.mjs')) as { upstreamHooks: NonNullable<MediaOptions['upstreamHooks']> }
  const served = await serveMedia(t, { ...recipe(heading, { 'http://studio-a.internal:8080': one.url, 'http://studio-b.internal:8080': two.url }), upstreamHooks })

  for (const name of ['one', 'two']) {
    const playlist = await ask(served, `/live/${name}/index.m3u8`)
    const segments = playlist.text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    t.same(segments, [`/live/${name}/1.ts`, '2.ts'], `the playlist of ${name} leads to the mount`)
    for (const [place, text] of ['first', 'second'].entries()) t.equal((await ask(served, new URL(segments[place] as string, `${served.url}/live/${name}/index.m3u8`).pathname)).text, `${text} of ${name}`)

    const viewer = await watch(t, served, `/live/${name}.flv`)
    for (let sent = 1; sent <= 20; sent++) {
      streams.at(-1)?.write('t')
      await viewer.seen(sent)
    }
    t.equal(viewer.bytes, 20, 'each tag is there before the next is made')
    viewer.leave()
  }
  t.equal((await two.requests()).filter(line => line.includes('/two/')).length, 3)
})

/** An API that says what it was asked, gives bodies back, and speaks WebSocket with whom it knows. */
async function api (t: Test): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(request.method === 'DELETE' ? 204 : 201, { 'x-asked': `${request.method} ${request.url}` })
    request.pipe(response)
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.cookie === 'id=1') sockets.handleUpgrade(request, socket, head, own => { own.on('message', (text: Buffer) => own.send(`${request.url}: ${text.toString()}`)) })
    else socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno')
  })
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('A whole API behind the same host', async t => {
  const site = await scratch(t, { 'index.html': 'the page' })
  const served = await serveMedia(t, recipe('A whole API behind the same host', { 'http://api.internal:4000': await api(t), './site': site }))
  const bytes = Buffer.from([0xff, 0xfe, 0x80])
  for (const method of ['POST', 'PUT', 'PATCH', 'PROPFIND']) {
    const { status, headers, body } = await ask(served, '/api/things/a%2Fb?x=1', { method, body: bytes, headers: { 'content-type': 'text/plain' } })
    t.match([status, headers['x-asked'], body.equals(bytes)], [201, `${method} /v1/things/a%2Fb?x=1`, true], method)
  }
  t.match(await ask(served, '/api/things/1', { method: 'DELETE' }), { status: 204 })
  t.match(await ask(served, '/anything'), { status: 200, text: 'the page' })

  const socket = new WebSocket(`ws://127.0.0.1:${served.port}/api/talk`, { headers: { cookie: 'id=1' } })
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  socket.send('hello')
  t.equal(String((await once(socket, 'message') as [Buffer])[0]), '/v1/talk: hello')
  const stranger = new WebSocket(`ws://127.0.0.1:${served.port}/api/talk`)
  t.equal((await once(stranger, 'unexpected-response') as [unknown, IncomingMessage])[1].statusCode, 401)
  stranger.on('error', () => {}).terminate()
})

t.test('A shared cache', nginx, async t => {
  const shop = await nginxOrigin(t, {
    files: { 'prices.json': '{"a":1}', 'a/1.json': '1', 'a/2.json': '2', 'soon.json': 'soon', 'own.json': 'mine' },
    server: `location / { expires 1h; add_header Request-Id $request_id; }
      location /soon.json { expires 1s; }
      location /own.json { expires 1h; add_header Set-Cookie "id=$request_id"; }`
  })
  const directory = await scratch(t)
  const served = await serveMedia(t, recipe('A shared cache', { 'http://shop.internal': shop.url, '/var/cache/media': directory }))
  const count = async (path: string): Promise<number> => (await shop.requests()).filter(line => line.includes(path)).length

  const all = await Promise.all(Array.from({ length: 50 }, async () => await ask(served, '/shop/prices.json')))
  t.equal(new Set(all.map(({ headers }) => headers['request-id'])).size, 1)
  t.equal(await count('/prices.json'), 1, 'of 50 at once one asks')
  t.match(await ask(served, '/shop/prices.json'), { status: 200, text: '{"a":1}', headers: { 'cache-status': /^fastify-media; ?hit/, age: /^\d+$/ } })
  t.match(await ask(served, '/shop/prices.json', { headers: { 'if-none-match': all[0]?.headers.etag as string } }), { status: 304 })
  t.match(await ask(served, '/shop/prices.json', { headers: { range: 'bytes=1-3' } }), { status: 206, text: '"a"' })
  t.equal(await count('/prices.json'), 1)
  for (const headers of [{}, { authorization: 'Basic eA==' }] as Array<Record<string, string>>) {
    const path = headers.authorization === undefined ? '/shop/own.json' : '/shop/prices.json'
    const before = await count(path.slice(5))
    for (let time = 0; time < 2; time++) await ask(served, path, { headers })
    t.equal(await count(path.slice(5)) - before, 2, `${path}: never kept`)
  }

  for (const path of ['/shop/a/1.json', '/shop/a/2.json']) await ask(served, path)
  t.same((await purge('/shop/prices.json', { directory })).behind, [])
  await ask(served, '/shop/prices.json')
  t.equal((await shop.requests()).filter(line => line === 'GET /prices.json 200').length, 4, 'asked for anew')
  t.same((await purge('/shop/a/', { directory })).behind, [])
  for (const path of ['/shop/a/1.json', '/shop/a/2.json', '/shop/a/1.json']) await ask(served, path)
  t.match([await count('/a/1.json'), await count('/a/2.json')], [2, 2])

  await ask(served, '/shop/soon.json')
  await shop.kill()
  const ages = async (): Promise<number> => {
    const { status, text, headers } = await ask(served, '/shop/soon.json')
    if (status !== 200 || text !== 'soon') throw new Error(`Expected what is stale but received ${status}: ${text}`)
    return Number(headers.age)
  }
  t.ok(await eventually(async () => await ages() >= 2), 'older than the second it was good for, and the server gone')
  t.match(await ask(served, '/shop/other.json'), { status: /^50[23]$/ })
})

t.test('Files with a promise', nginx, async t => {
  const large = content(3_000_000)
  const good = Buffer.from('what was released')
  const sri = (bytes: Buffer): string => `sha384-${createHash('sha384').update(bytes).digest('base64')}`
  const releases = await nginxOrigin(t, { files: { 'good.zip': good, 'bad.zip': 'something else', 'large.zip': large.bytes(), 'large-bad.zip': content(3_000_000, 1).bytes(), 'more.zip': 'more' } })
  const places = await scratch(t, { 'releases.json': JSON.stringify({ 'good.zip': sri(good), 'bad.zip': sri(good), 'large.zip': sri(large.bytes()), 'large-bad.zip': sri(large.bytes()) }) })
  const served = await serveMedia(t, recipe('Files with a promise', { 'http://releases.internal': releases.url, '/etc/media/releases.json': join(places, 'releases.json') }))
  t.match(await ask(served, '/releases/good.zip'), { status: 200, text: 'what was released' })
  t.match(await ask(served, '/releases/bad.zip'), { status: 502, text: /upstream-content/ })
  t.equal(createHash('sha256').update((await ask(served, '/releases/large.zip')).body).digest('hex'), large.hash)
  await t.rejects(ask(served, '/releases/large-bad.zip'), { code: 'ECONNRESET' }, 'never taken for whole')
  t.match(await ask(served, '/releases/more.zip'), { status: 404 })
})

t.test('every recipe of the page was run', t => {
  t.same([...used].toSorted(), headings.toSorted())
  t.end()
})
