// A client that names a URL must not reach what only this machine can: imgproxy CVE-2023-30019
// (no limit on the source), CVE-2025-24354 (0.0.0.0) and 4.0.12 (CGNAT, IPv4 within IPv6), IPX
// 97e6eb7 (redirects followed blindly). Filters in `lookup` alone let 23 of 32 spellings of
// loopback through, because no literal is ever looked up. Each of them is tried against a server
// that really listens there and counts who connects.
import t from 'tap'
import { Agent, buildConnector, request, type Dispatcher } from 'undici'
import { ForbiddenAddress, guardedConnect, type ConnectorBuilder, type Resolver } from '../../lib/upstream/guarded-connect.ts'
import { followRedirects, type FollowOptions } from '../../lib/upstream/redirects.ts'
import { remoteRules } from '../../lib/upstream/remote-rules.ts'
import { parseRemoteUrl } from '../../lib/upstream/remote-url.ts'
import type { Test } from '../helpers/app.ts'
import { inside, loopbackSpellings as spellings } from '../helpers/loopback.ts'
import { origin } from '../helpers/origin.ts'

/** The attacker's own resolver: every name is this machine. */
const everythingIsHere: Resolver = (_hostname, _options, done) => { setImmediate(() => done(null, [{ address: '127.0.0.1', family: 4 }])) }

function agent (t: Test, addresses: 'public' | 'any', lookup: Resolver, base?: ConnectorBuilder): Dispatcher {
  const made = new Agent({ connect: guardedConnect({ addresses, connectTimeoutMs: 10_000, lookup }, base), connections: 1 })
  t.teardown(async () => await made.destroy())
  return made
}

async function outcome (dispatcher: Dispatcher, url: string): Promise<unknown> {
  try {
    const { body } = await request(url, { dispatcher })
    return await body.text()
  } catch (error) {
    return error
  }
}

t.test('no spelling of loopback is connected to', async t => {
  const secret = await inside(t)
  const guarded = agent(t, 'public', everythingIsHere)
  for (const host of spellings) {
    const result = await outcome(guarded, `http://${host}:${secret.port}/`)
    t.ok(result instanceof ForbiddenAddress || (result as { code?: string }).code === 'UND_ERR_INVALID_ARG', `${host}: ${String(result)}`)
  }
  t.equal(secret.connected, 0)
})

t.test('without the guard most of them are: the server is there', async t => {
  const secret = await inside(t)
  const unguarded = agent(t, 'any', everythingIsHere)
  const reached = new Set<string>()
  for (const host of spellings.filter(host => host.startsWith('[') ? /^\[(?:0|::1|::ffff:[17]|::FFFF)/.test(host) : !/^127\.[12]\d\d/.test(host))) {
    if (await outcome(unguarded, `http://${host}:${secret.port}/`) === 'secret') reached.add(host)
  }
  t.ok(reached.size >= (secret.hasIpv6 ? 32 : 28), `${reached.size} spellings reach it: ${[...reached].join(' ')}`)
  t.ok(secret.connected >= reached.size)
})

t.test('no spelling of loopback passes the rules, below whatever mount it is named', async t => {
  const secret = await inside(t)
  const rules = remoteRules([`http://*.img.example:${secret.port}`, `http://img.example:${secret.port}`, 'https://8.8.4.4'])
  for (const host of spellings) {
    const url = `http://${host}:${secret.port}/`
    for (const spelled of [url, `http:/${host}:${secret.port}/`, encodeURIComponent(url), Buffer.from(url).toString('base64url')]) {
      t.throws(() => rules.check(parseRemoteUrl(spelled)), { code: /^(?:remote-forbidden|bad-remote-url)$/ }, spelled)
    }
  }
})

/** Stands for an address of somebody in the world. */
const FAR_AWAY = '8.8.4.4'

/** Connects to what it is told, as undici does; but who asks for {@link FAR_AWAY} finds a server of this test. */
function worldWith (port: number): ConnectorBuilder {
  return options => {
    const { lookup } = options as { lookup: (hostname: string, options: { all: true }, done: (error: Error | null, answers: Array<{ address: string, family: number }>) => void) => void }
    const toFarAway = buildConnector({})
    return (target, done) => {
      lookup(target.hostname, { all: true }, (error, answers) => {
        if (error !== null) return done(error, null)
        if (answers[0]?.address !== FAR_AWAY) {
          // What was found already is not looked up again.
          buildConnector({ ...options, lookup: (_hostname, { all }, found) => { if (all === true) found(null, answers); else found(null, answers[0]?.address ?? '', answers[0]?.family) } })(target, done)
          return
        }
        toFarAway({ ...target, hostname: '127.0.0.1', port: String(port) }, (error, socket) => {
          if (error === null) done(null, Object.defineProperty(socket, 'remoteAddress', { value: FAR_AWAY }))
          else done(error, null)
        })
      })
    }
  }
}

/** Answers with one list after the other; the last one stays. */
function rebinding (...answers: string[][]): Resolver & { asked: () => number } {
  let asked = 0
  return Object.assign<Resolver, { asked: () => number }>((_hostname, _options, done) => {
    const list = answers[Math.min(asked++, answers.length - 1)] ?? []
    setImmediate(() => done(null, list.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))))
  }, { asked: () => asked })
}

t.test('a name that leads elsewhere by the next request is looked at again', async t => {
  const secret = await inside(t)
  const far = await origin(t, (_request, response) => response.setHeader('connection', 'close').end('far away'))
  for (const second of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', '169.254.169.254']) {
    const lookup = rebinding([FAR_AWAY], [second])
    const guarded = agent(t, 'public', lookup, worldWith(far.port))
    const url = `http://rebinding.example:${secret.port}/`
    t.equal(await outcome(guarded, url), 'far away')
    t.type(await outcome(guarded, url), ForbiddenAddress)
    t.equal(lookup.asked(), 2, 'one look for each connection')
  }
  t.equal(secret.connected, 0)
})

t.test('a name is looked up once for a connection: there is no second answer that could be another', async t => {
  const secret = await inside(t)
  const far = await origin(t, (_request, response) => response.end('far away'))
  const lookup = rebinding([FAR_AWAY], ['127.0.0.1'])
  const guarded = agent(t, 'public', lookup, worldWith(far.port))
  for (let round = 0; round < 3; round++) t.equal(await outcome(guarded, `http://rebinding.example:${secret.port}/`), 'far away')
  t.equal(lookup.asked(), 1)
  t.equal(secret.connected, 0)
})

t.test('a name with a public address beside another is refused', async t => {
  const secret = await inside(t)
  const far = await origin(t, (_request, response) => response.end('far away'))
  for (const list of [[FAR_AWAY, '127.0.0.1'], ['127.0.0.1', FAR_AWAY], [FAR_AWAY, '::1'], [FAR_AWAY, FAR_AWAY, '2606:4700::1', '10.0.0.1'], ['::1', '127.0.0.1']]) {
    t.type(await outcome(agent(t, 'public', rebinding(list), worldWith(far.port)), `http://mixed.example:${secret.port}/`), ForbiddenAddress, list.join(' '))
  }
  t.equal(secret.connected, 0)
  t.equal(far.opened, 0)
})

for (const [how, hasRules] of [['the rules and the guard', true], ['the guard alone', false]] as const) {
  t.test(`a redirect leads nowhere inside: ${how}`, async t => {
    const secret = await inside(t)
    let location = ''
    const far = await origin(t, ({ url = '' }, response) => {
      if (url === '/start') response.writeHead(302, { location }).end()
      else response.end('far away')
    })
    const lookup: Resolver = (hostname, _options, done) => { setImmediate(() => done(null, [{ address: hostname === 'img.example' ? FAR_AWAY : '127.0.0.1', family: 4 }])) }
    const dispatcher = agent(t, 'public', lookup, worldWith(far.port))
    const send: FollowOptions['send'] = async url => {
      const { statusCode, headers, body } = await request(url, { dispatcher })
      return { status: statusCode, headers: headers as Record<string, string>, body, trailers: () => undefined }
    }
    const { check } = hasRules ? remoteRules(['http://img.example', `http://*.example:${secret.port}`]) : { check: () => {} }
    const follow = async (): Promise<{ body: unknown }> => (await followRedirects(new URL('http://img.example/start'), { maxRedirects: 5, check, send })).response

    location = '/other'
    t.equal(await (await follow() as unknown as { body: { text: () => Promise<string> } }).body.text(), 'far away', 'within the world it is followed')
    const asked = far.requests.length
    for (const to of ['http://169.254.169.254/latest/meta-data/', 'http://[fd00:ec2::254]/', 'http://168.63.129.16/', 'http://100.100.100.200/', `http://inside.example:${secret.port}/`, ...spellings.map(host => `http://${host}:${secret.port}/`), `//127.1:${secret.port}/`]) {
      // As bytes, as it stands on the wire.
      location = Buffer.from(to).toString('latin1')
      const error: unknown = await follow().then(() => 'reached', failure => failure as unknown)
      t.ok(error instanceof ForbiddenAddress || (error as { code?: string }).code === 'upstream-redirects', `${to}: ${String(error)}`)
    }
    t.equal(secret.connected, 0)
    t.ok(far.requests.length > asked, 'each of them was tried')
    t.ok(far.requests.slice(asked).every(({ url }) => url === '/start'))
  })
}
