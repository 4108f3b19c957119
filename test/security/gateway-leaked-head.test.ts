// An origin that dies between its head and its body: an error of ours that carried the origin's
// Cache-Control, ETag or Set-Cookie would be stored by caches in the place of the page, and give
// one client's cookie to all (as @fastify/reply-from 12.6 does).
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { ask } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { head as answerHead, nonsenseChunks, origin, rawOrigin, reset, type RawRequest } from '../helpers/origin.ts'
import { head, wire } from '../helpers/wire.ts'

const poison = { 'Cache-Control': 'public, max-age=31536000', ETag: '"poison"', 'Content-Encoding': 'gzip', 'Set-Cookie': 'session=secret', 'X-Poison': 'yes', Expires: 'Thu, 01 Jan 2099 00:00:00 GMT', 'Access-Control-Allow-Origin': '*' }
const words = /poison|secret|max-age|gzip|2099|access-control/i

/** What a client sees of it: nothing, a cut 200, or an error without a word of the origin's. */
async function isHarmless (t: { ok: (is: boolean, name: string) => unknown, notMatch: (text: string, pattern: RegExp) => unknown }, port: number, name: string): Promise<void> {
  const client = await wire(t as never, { port })
  client.send(head('GET /api/', ['Connection: close']))
  const text = await client.end()
  if (text.startsWith('HTTP/1.1 200 ')) t.ok(!text.includes('\r\n0\r\n\r\n'), `${name}: cut`)
  else {
    t.ok(text === '' || /^HTTP\/1\.1 50[24] /.test(text), `${name}: ${text.slice(0, 60)}`)
    t.notMatch(text, words)
  }
}

t.test('an origin that dies after its head', async t => {
  const deaths: Record<string, (request: RawRequest) => unknown> = {
    'at once, by reset': ({ socket }) => { reset(socket) },
    'at once, by FIN': ({ socket }) => { socket.end() },
    'later, by reset': async ({ socket }) => { await wait(50); reset(socket) },
    'later, by FIN': async ({ socket }) => { await wait(50); socket.end() }
  }
  for (const framing of [{ 'Content-Length': 70_000 }, { 'Content-Length': 10 }, { 'Transfer-Encoding': 'chunked' }]) {
    for (const [name, die] of Object.entries(deaths)) {
      const backend = await rawOrigin(t, async request => {
        request.socket.write(answerHead(200, { ...poison, ETag: 'W/"poison"', ...framing }))
        await die(request)
      })
      await isHarmless(t, (await serveGateway(t, backend.url, { config: { resumes: 0 } })).port, `${name}, ${Object.keys(framing)[0]}`)
    }
  }
})

t.test('chunks that are none', async t => {
  for (const [name, text] of Object.entries(nonsenseChunks)) {
    const backend = await rawOrigin(t, ({ socket }) => { socket.write(text.replace('\r\n', `\r\n${Object.entries(poison).map(([field, value]) => `${field}: ${value}\r\n`).join('')}`)) })
    await isHarmless(t, (await serveGateway(t, backend.url)).port, name)
  }
})

t.test('a body that fails while hooks of the app still look at the answer', async t => {
  let die = (): void => {}
  const backend = await rawOrigin(t, ({ socket }) => {
    socket.write(answerHead(200, { ...poison, 'Content-Length': 70_000 }))
    die = () => reset(socket)
  })
  const served = await serveGateway(t, backend.url, {
    config: { resumes: 0 },
    cors: { origins: ['https://a.example'] },
    scope: scope => {
      scope.addHook('onSend', async function lookLong () {
        die()
        await wait(200)
      })
    }
  })
  const client = await wire(t, served)
  client.send(head('GET /api/', ['Origin: https://a.example', 'Connection: close']))
  const text = (await client.end()).replaceAll(/access-control-allow-origin: https:\/\/a\.example|vary: origin/gi, '')
  t.notMatch(text, words)
  t.notMatch(text, /0\r\n\r\n$/)
})

t.test('a hook that fails after the head is there', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, poison).end('x') })
  for (const rewriteResponse of [() => { throw new Error('own fault') }, () => ({ status: 200, headers: { 'bad name': 'x', 'x-poison': 'yes' } }), () => ({ status: 1000, headers: {} })]) {
    const answer = await ask(await serveGateway(t, backend.url, { mount: { hooks: { rewriteResponse } } }), '/api/')
    t.equal(answer.status, 500)
    t.notMatch(JSON.stringify(answer.headers), words)
  }
})

t.test('what was cut is never kept as whole', async t => {
  const backend = await rawOrigin(t, async ({ socket }) => {
    socket.write(`${answerHead(200, { 'Content-Type': 'text/plain' })}half of it`)
    await wait(50)
    reset(socket)
  })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/'))
  t.notMatch(await client.end(), /0\r\n\r\n$/)
})
