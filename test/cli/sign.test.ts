import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { MediaOptions } from '../../app.ts'
import sign from '../../cli/sign.ts'
import { placeOfSignature } from '../../lib/signing/signed-target.ts'
import { SignatureVerifier } from '../../lib/signing/verifier.ts'
import { ask, raw, scratch, serveMedia } from '../helpers/app.ts'
import { run, runHere } from './process.ts'

t.setTimeout(120_000)

const secret = 'the walrus keeps 12 secrets of the sea'
const older = 'an older walrus keeps 11 secrets of it'
const lost = 'a walrus that lost its 10 secrets to all'
const links = { driver: 'signed', keys: [{ id: 'gone', secret: lost, revoked: true }, { id: '2026-11', secret }, { id: '2026-10', secret: older }] }
const mounts = [
  { prefix: '/', source: 'files' },
  { prefix: '/private', source: 'files', access: { read: 'links' } },
  { prefix: '/private/open', source: 'files' },
  { prefix: '/office', source: 'files', access: { read: { all: ['office', { any: ['links'] }] } } },
  { prefix: '/in', source: 'files', access: { read: 'office', write: 'links', methods: { DELETE: 'office' } } },
  { prefix: '/pictures', source: 'files', images: { mode: 'signed', signedBy: 'links' } }
]

/** A directory with a configuration whose one strategy of the driver is `links`. */
async function site (t: Test, changes: Record<string, unknown> = {}, strategies: Record<string, unknown> = {}, files: Record<string, string> = {}): Promise<string> {
  return await scratch(t, {
    ...files,
    'files/cat.jpg': 'x',
    'media.config.json': JSON.stringify({ sources: { files: { driver: 'file', root: 'files' } }, strategies: { links: { ...links, ...changes }, office: { driver: 'ip', allow: ['10.0.0.0/8'] }, ...strategies }, mounts })
  })
}

async function signIn (cwd: string, ...args: string[]): Promise<{ code: number, url: string, stderr: string }> {
  const { code, stdout, stderr } = await runHere(async () => await sign([...args, '--config', join(cwd, 'media.config.json')]))
  return { code, url: stdout.trimEnd(), stderr }
}

interface Asked { method?: string, address?: string, inSeconds?: number }

/** The key's name, or the reason. */
function verify (target: string, { method = 'GET', address = '', inSeconds = 0 }: Asked = {}): string {
  const verifier = new SignatureVerifier([{ id: '2026-11', secret, revoked: false }, { id: '2026-10', secret: older, revoked: false }], { requireExpiry: false, maxLifetimeSeconds: 31_536_000, leewaySeconds: 0 })
  const told = verifier.verify({ target, method, address }, placeOfSignature(target), Date.now() + inSeconds * 1000)
  return 'id' in told ? told.id : told.refusal
}

t.test('the program prints the signed URL and nothing else, for an hour, by the first key that is not revoked', async t => {
  const cwd = await site(t)
  const { code, stdout, stderr } = await run(t, ['sign', '/private/cat.jpg?w=320'], { cwd })
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^\/private\/cat\.jpg\?w=320&sig=2026-11\.e\d{10}\.[\w-]{43}\n$/)
  const target = stdout.trimEnd()
  t.equal(verify(target), '2026-11')
  t.equal(verify(target, { inSeconds: 3400 }), '2026-11')
  t.equal(verify(target, { inSeconds: 3601 }), 'expired')
  t.match(await run(t, ['sign'], { cwd }), { code: 2, stdout: '', stderr: /^Expected what to sign[^]*Usage: fastify-media/ })
})

t.test('a server of the same configuration answers what was signed, and nothing beside it', async t => {
  const cwd = await site(t)
  const config = JSON.parse(await readFile(join(cwd, 'media.config.json'), 'utf8')) as object
  const served = await serveMedia(t, { ...config, sources: { files: { driver: 'file', root: join(cwd, 'files') } }, mounts: mounts.filter(({ prefix }) => prefix === '/private') } as MediaOptions)
  const { url } = await signIn(cwd, '/private/cat.jpg')
  t.match(await ask(served, url), { status: 200, text: 'x' })
  t.match(await ask(served, url, { method: 'HEAD' }), { status: 200 })
  t.match(await ask(served, '/private/cat.jpg'), { status: 401, headers: { 'www-authenticate': 'SignedURL realm="fastify-media"' } })
  for (const other of [url.replace('cat', 'dog'), url.replace('/private/', '/private//'), url.replace('cat', 'c%61t'), url.slice(0, -1), `${url}&w=1`, url.replace('?', '?w=1&')]) t.match(await ask(served, other), { status: 403 }, other)
  t.match(await raw(served, `GET http://media.example${url} HTTP/1.1\r\nHost: media.example\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200 /, 'in absolute form')
  t.match(await raw(served, `GET ${url}%00 HTTP/1.1\r\nHost: media.example\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 403 /)
  t.notMatch(JSON.stringify(served.logs), url.slice(-43), 'no log line holds a signature')
})

t.test('options tell the key, the times, the method and the address', async t => {
  const cwd = await site(t)
  t.equal(verify((await signIn(cwd, '/private/a', '--key', '2026-10')).url), '2026-10')
  const { url } = await signIn(cwd, '/private/a', '--expires', '2d', '--not-before', '30m')
  t.same([0, 1900, 172_700, 172_900].map(inSeconds => verify(url, { inSeconds })), ['not valid yet', '2026-11', '2026-11', 'expired'])
  for (const [text, lifetime] of [['90s', 90], ['15m', 900], ['1h', 3600], ['7d', 604_800]] as const) {
    const before = Math.floor(Date.now() / 1000)
    const told = Number(/e(\d+)/.exec((await signIn(cwd, '/private/a', '--expires', text)).url)?.[1])
    t.ok(told >= before + lifetime && told <= Math.floor(Date.now() / 1000) + lifetime, text)
  }
  const soon = new Date(Math.ceil(Date.now() / 86_400_000 + 1) * 86_400_000).toISOString()
  for (const text of [soon.slice(0, 10), `${soon.slice(0, 19)}Z`, `${soon.slice(0, 16)}+00:00`]) t.ok((await signIn(cwd, '/private/a', '--expires', text)).url.includes(`.e${Date.parse(soon) / 1000}.`), text)
  t.equal(verify((await signIn(cwd, '/in/a', '--method', 'PUT')).url, { method: 'PUT' }), '2026-11')
  const bound = (await signIn(cwd, '/private/a', '--address', '192.0.2.7')).url
  t.same([verify(bound, { address: '192.0.2.7' }), verify(bound)], ['2026-11', 'signature does not match'])
  t.match(await signIn(cwd, 'https://media.example/private/a?w=1'), { code: 0, url: /^https:\/\/media\.example\/private\/a\?w=1&sig=/, stderr: '' })
})

t.test('a signature that no mount asks for is printed with a warning', async t => {
  const cwd = await site(t)
  for (const args of [['/private/a'], ['/private'], ['/private/'], ['/_ipx/w_5/private/a.jpg'], ['/private/_ipx/w_5/a.jpg'], ['/office/a'], ['/office/a', '--method', 'HEAD'], ['/in/a', '--method', 'POST'], ['/pictures/a.jpg'], ['/priv%61te/a'], ['https://h/private/a']]) {
    t.match(await signIn(cwd, ...args), { code: 0, stderr: '' }, args.join(' '))
  }
  for (const [args, method] of [[['/a'], 'GET'], [['/private/open/a'], 'GET'], [['/privates'], 'GET'], [['/Private/a'], 'GET'], [['/in/a'], 'GET'], [['/in/a', '--method', 'DELETE'], 'DELETE'], [['/private/a', '--method', 'PUT'], 'PUT'], [['/private%2Fa'], 'GET']] as const) {
    const { code, url, stderr } = await signIn(cwd, ...args)
    t.same({ code, stderr }, { code: 0, stderr: `Warning: no mount that answers ${method} for this path uses links\n` }, args.join(' '))
    t.match(url, /&?sig=2026-11\./)
  }
})

t.test('a URL without end is signed where the servers take one, and one that they refuse is not', async t => {
  const lax = await site(t, { requireExpiry: false, maxLifetimeSeconds: 600 })
  t.match((await signIn(lax, '/private/a', '--expires', 'never')).url, /sig=2026-11\.\./)
  t.equal(verify((await signIn(lax, '/private/a')).url, { inSeconds: 601 }), 'expired', 'as long as they take it')
  await t.rejects(signIn(lax, '/private/a', '--expires', '1h'), { name: 'UsageError', message: /within 600 seconds/ })
  await t.rejects(signIn(await site(t), '/private/a', '--expires', 'never'), { name: 'UsageError', message: /requireExpiry/ })
})

t.test('of several strategies one has to be named', async t => {
  const cwd = await site(t, {}, { others: { driver: 'signed', keys: [{ id: 'other', secret: 'a third walrus keeps 10 other secrets' }] } })
  await t.rejects(signIn(cwd, '/private/a'), { name: 'UsageError', message: 'Expected --strategy, because there are several: links, others' })
  t.match(await signIn(cwd, '/private/a', '--strategy', 'links'), { code: 0, url: /sig=2026-11\./, stderr: '' })
  t.match(await signIn(cwd, '/private/a', '--strategy', 'others'), { code: 0, url: /sig=other\./, stderr: /^Warning: no mount that answers GET for this path uses others/ })
  for (const name of ['office', 'linked']) await t.rejects(signIn(cwd, '/private/a', '--strategy', name), { name: 'UsageError', message: new RegExp(`driver signed but received ${name}`) })
})

t.test('a secret comes from a file too, without the line break at its end', async t => {
  const cwd = await site(t, { keys: [{ id: '2026-11', secretFile: 'signing.key' }] }, {}, { 'signing.key': `${secret}\n` })
  t.equal(verify((await signIn(cwd, '/private/a')).url), '2026-11', 'from the directory of the configuration')
})

t.test('what is not understood is told, and never with the secret', async t => {
  const cwd = await site(t)
  for (const [args, message] of [
    [['private/a'], /begins with a slash/],
    [['/private/a b'], /Expected \/private\/a%20b, as clients send it/],
    [['/private/a#b'], /no fragment/],
    [['/private/a?sig=x'], /signed already/],
    [['/private/a', '/private/b'], /Expected one argument/],
    [['/private/a', '--key', '2026-1'], /received 2026-1\. Did you mean 2026-1[01]\?/],
    [['/private/a', '--key', 'gone'], /gone is revoked/],
    [['/private/a', '--expires', 'soon'], /Expected --expires to be like 90s/],
    [['/private/a', '--expires', '2027-01-01T00:00:00'], /Expected --expires/],
    [['/private/a', '--expires', '2027-13-01'], /Expected --expires/],
    [['/private/a', '--expires', '2020-01-01'], /in the future/],
    [['/private/a', '--expires', '0s'], /in the future/],
    [['/private/a', '--not-before', '-1h'], /not-before/],
    [['/private/a', '--not-before', '2h'], /later than notBefore/],
    [['/private/a', '--method', 'put'], /capital letters/],
    [['/private/a', '--address', 'localhost'], /IP address/],
    [['/private/a', '--secret', 'x'], /Unknown option '--secret'/]
  ] as const) {
    const error = await signIn(cwd, ...args).catch((error: Error) => error) as Error
    t.match(error, { name: 'UsageError', message }, args.join(' '))
    t.notMatch(error.message, /walrus/)
  }
})

t.test('without a strategy, or a key that may be used, the end is 1', async t => {
  const none = await scratch(t, { 'media.config.json': JSON.stringify({ mounts: [] }) })
  t.same(await signIn(none, '/private/a'), { code: 1, url: '', stderr: 'The configuration has no strategy with the driver signed\n' })
  const revoked = await site(t, { keys: [{ id: 'gone', secret: older, revoked: true }] })
  await t.rejects(signIn(revoked, '/private/a'), { name: 'ConfigError', message: /strategies\.links\.keys: Expected a key that is not revoked/ })
  await t.rejects(signIn(await site(t, { keys: [{ id: 'a', secretFile: 'gone.key' }] }), '/private/a'), { name: 'ConfigError', message: /gone\.key/ })
  await t.rejects(signIn(await scratch(t), '/private/a'), { name: 'ConfigError' })
})
