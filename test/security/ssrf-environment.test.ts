// Variables of the environment that send requests through a proxy (HTTP_PROXY and the like, with
// NODE_USE_ENV_PROXY=1 from Node.js 24 on) would move the connection, and so the look at its address,
// to another machine; NODE_TLS_REJECT_UNAUTHORIZED=0 would trust anybody. A process with all of
// them set asks as any other.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import type { Test } from '../helpers/app.ts'
import { noOpenssl } from '../helpers/certificates.ts'
import { origin, rawOrigin, tlsOrigin } from '../helpers/origin.ts'

const program = `
import { Agent, EnvHttpProxyAgent, request } from 'undici'
import { guardedConnect } from './lib/upstream/guarded-connect.ts'
const [kind, url] = JSON.parse(process.env.ASKED)
const dispatcher = kind === 'environment' ? new EnvHttpProxyAgent() : new Agent({ connect: guardedConnect({ addresses: kind, connectTimeoutMs: 10_000 }) })
try {
  const { body } = await request(url, { dispatcher })
  console.log(await body.text())
} catch (error) {
  console.log(error.code)
}
process.exit()
`

/** What a process with every such variable set gets from a URL. */
async function asked (t: Test, kind: 'public' | 'any' | 'environment', url: string, proxy: string): Promise<string> {
  const variables = Object.fromEntries(['http_proxy', 'https_proxy', 'all_proxy'].flatMap(name => [[name, proxy], [name.toUpperCase(), proxy]]))
  const child = spawn(process.execPath, ['--import=./test/loader/ts.mjs', '--input-type=module', '--eval', program], {
    env: { ...process.env, ...variables, no_proxy: '', NO_PROXY: '', NODE_USE_ENV_PROXY: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: '', NODE_NO_WARNINGS: '1', ASKED: JSON.stringify([kind, url]) },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
  await once(child, 'close')
  return said.trim()
}

t.test('no proxy of the environment is asked, and no guard is passed by it', async t => {
  const target = await origin(t, (_request, response) => response.end('asked directly'))
  const proxy = await rawOrigin(t, ({ socket }) => { socket.end('HTTP/1.1 502 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n') })
  t.equal(await asked(t, 'any', target.url, proxy.url), 'asked directly')
  t.equal(await asked(t, 'public', target.url, proxy.url), 'UPSTREAM_FORBIDDEN_ADDRESS')
  t.equal(await asked(t, 'public', `http://localhost:${target.port}`, proxy.url), 'UPSTREAM_FORBIDDEN_ADDRESS')
  t.equal(proxy.opened, 0)
  t.equal(target.opened, 1)
  await asked(t, 'environment', target.url, proxy.url)
  t.equal(proxy.opened, 1, 'the variables work: who listens to them asks the proxy')
})

t.test('no variable makes a certificate trusted', { skip: noOpenssl ?? false }, async t => {
  const target = await tlsOrigin(t, (_request, response) => response.end('trusted'), { certificate: 'self-signed' })
  t.equal(await asked(t, 'any', target.url, 'http://127.0.0.1:9'), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  t.equal(target.requests.length, 0)
})
