// examples/access.config.yaml as it stands there, served by the program, with a policy service as OPA answers.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { keyHash } from '../../lib/access/api-keys.ts'
import { cli, logLines, root, run, serving } from '../cli/process.ts'
import { ask, scratch } from '../helpers/app.ts'
import { policyServer, says } from '../helpers/policy-server.ts'
import { inSeconds, token } from '../helpers/tokens.ts'

t.setTimeout(120_000)

const example = join(root, 'examples/access.config.yaml')
const secret = (): string => randomBytes(48).toString('base64')
const [jwtSecret, signingSecret, key] = [secret(), secret(), `fm_${randomBytes(32).toString('base64url')}`]
const policy = await policyServer(t, ({ path, headers }) => path[0] === 'policy' && path[1] === 'welcome.txt' ? { allow: headers.authorization === 'Bearer let-ann-in', principal: 'ann' } : undefined)
const env = { IMAGE_CACHE: await scratch(t), JWT_SECRET: jwtSecret, SIGNING_SECRET: signingSecret, MACHINE_KEY_HASH: keyHash(key), POLICY_URL: policy.url }
const served = await serving(t, ['--config', example], { env })

const claims = { iss: 'https://id.example.com', aud: 'media', sub: 'ann', exp: inSeconds(600) }
const good = token({ alg: 'HS256', key: jwtSecret, claims })
const bearer = (text: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${text}` } })

async function signedBy (...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(t, ['sign', ...args, '--config', example], { env })
  t.same({ code, stderr }, { code: 0, stderr: '' }, args.join(' '))
  return stdout.trimEnd()
}

t.test('a token opens /staff, and nothing else does', async t => {
  const answer = await ask(served, '/staff/welcome.txt', bearer(good))
  t.match(answer, { status: 200, headers: { 'cache-control': 'private, no-cache', 'vary': /Authorization/ } })
  t.match(answer.headers['ratelimit-policy'], /^"addresses";q=600;w=60, "principals";q=300;w=60$/)
  t.match(answer.headers.ratelimit, /^"addresses";r=\d+;t=\d+, "principals";r=\d+;t=\d+$/)
  t.equal((await ask(served, '/staff/', bearer(good))).status, 200)
  t.equal((await ask(served, '/staff/missing', bearer(good))).status, 404)
  for (const wrong of [{}, bearer(token({ alg: 'HS256', key: jwtSecret, claims: { ...claims, aud: 'mail' } })), bearer(token({ alg: 'HS512', key: jwtSecret, claims })), bearer(token({ alg: 'none', claims })), bearer('nothing'), { headers: { 'x-api-key': key } }]) {
    for (const path of ['/staff', '/staff/', '/staff/welcome.txt', '/staff/missing']) {
      t.match(await ask(served, path, wrong), { status: 401, headers: { 'www-authenticate': /^Bearer realm="fastify-media"/, 'cache-control': 'no-store', 'ratelimit': /^"addresses"[^,]*$/ } })
    }
  }
  t.match(await ask(served, '/staff/welcome.txt', { method: 'PUT', ...bearer(good), body: 'x' }), { status: 405 })
})

t.test('so does the token that its comment makes', async t => {
  const [, command = ''] = /TOKEN=\$\((node .*)\)$/m.exec(await readFile(example, 'utf8')) ?? []
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { PATH: process.env.PATH, JWT_SECRET: jwtSecret } })
  t.equal((await ask(served, '/staff/welcome.txt', bearer(stdout.trim()))).status, 200)
})

t.test('and so do the steps of its comment make a key, and the hash of it', async t => {
  const steps = [...(await readFile(example, 'utf8')).matchAll(/^#   (export (?:KEY|MACHINE_KEY_HASH)=.*)$/gm)].map(([, step = '']) => step.replaceAll('npx fastify-media', '"$NODE" "$CLI"'))
  t.equal(steps.length, 2)
  const { stdout } = await promisify(execFile)('sh', ['-c', [...steps, 'echo "$KEY $MACHINE_KEY_HASH"'].join('\n')], { env: { PATH: process.env.PATH, NODE: process.execPath, CLI: cli } })
  const [made = '', hash] = stdout.trim().split(' ')
  t.match(made, /^fm_[\w-]{43}$/)
  t.equal(hash, keyHash(made))
})

t.test('a preflight of the one origin needs no token', async t => {
  const preflight = (origin: string): Parameters<typeof ask>[2] => ({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } })
  t.match(await ask(served, '/staff/welcome.txt', preflight('https://app.example.com')), { status: 204, headers: { 'access-control-allow-origin': 'https://app.example.com', 'access-control-allow-headers': 'authorization' } })
  t.match(await ask(served, '/staff/welcome.txt', preflight('https://evil.example')), { status: 204, headers: { 'access-control-allow-origin': undefined } })
})

t.test('a signed URL opens what it is of', async t => {
  t.match(await ask(served, '/links/welcome.txt'), { status: 401, headers: { 'www-authenticate': 'SignedURL realm="fastify-media"' } })
  t.equal((await ask(served, '/links/missing')).status, 401)
  const url = await signedBy('/links/welcome.txt')
  t.match(await ask(served, url), { status: 200, headers: { 'cache-control': /^private/ } })
  t.equal((await ask(served, url, { method: 'HEAD' })).status, 200)
  for (const other of [url.replace('welcome', 'goodbye'), url.replace('/links/', '/links//'), `${url}&w=1`, url.slice(0, -1)]) t.equal((await ask(served, other)).status, 403, other.slice(0, 20))
})

t.test('originals of /gallery are for everybody, variants for who has a signature', async t => {
  t.match(await ask(served, '/gallery/dusk.png'), { status: 200, headers: { 'cache-control': 'no-cache' } })
  t.equal((await ask(served, '/gallery/dusk.png?w=64')).status, 403)
  t.match(await ask(served, await signedBy('/gallery/dusk.png?w=64&f=webp')), { status: 200, headers: { 'content-type': 'image/webp' } })
  t.equal((await ask(served, (await signedBy('/gallery/dusk.png?w=64')).replace('w=64', 'w=65'))).status, 403)
})

t.test('the policy service decides of /policy, and without its word nobody gets in', async t => {
  t.match(await ask(served, '/policy/welcome.txt'), { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media"' } })
  t.equal((await ask(served, '/policy/welcome.txt', bearer('let-ann-in'))).status, 200)
  t.equal((await ask(served, '/policy/dusk.png', bearer('let-ann-in'))).status, 403)
  t.match(policy.inputs.find(({ headers }) => headers.authorization !== undefined), { method: 'GET', path: ['policy', 'welcome.txt'], mount: '/policy' })
  policy.misbehave(says('{"result": "true"}'))
  t.match(await ask(served, '/policy/missing', bearer('let-ann-in')), { status: 503, headers: { 'retry-after': '1' } })
  policy.misbehave()
})

t.test('a key opens /machines by either field', async t => {
  t.match(await ask(served, '/machines/tables/planets.csv'), { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media"' } })
  t.equal((await ask(served, '/machines/tables/planets.csv', { headers: { 'x-api-key': key } })).status, 200)
  t.equal((await ask(served, '/machines/tables/planets.csv', bearer(key))).status, 200)
  t.equal((await ask(served, '/machines/tables/planets.csv', bearer(`${key}x`))).status, 401)
})

t.test('everything else is for everybody, and no way around to the rest', async t => {
  t.match(await ask(served, '/'), { status: 200, text: /A small site/ })
  t.match(await ask(served, '/missing'), { status: 404, headers: { 'cache-control': 'no-store' } })
  for (const path of ['/STAFF/welcome.txt', '//staff/welcome.txt', '/staff%2Fwelcome.txt', '/./links/welcome.txt']) t.notMatch(await ask(served, path), { status: 200 }, path)
})

t.test('no line of the log holds a secret, a token, a key or a signature', async t => {
  const url = await signedBy('/links/orbit.gif')
  t.equal((await ask(served, url)).status, 200)
  await served.says(/"path":"\/links\/orbit\.gif"/)
  const log = served.stdout() + served.stderr()
  t.ok(logLines(served.stdout().replace(/^[^{].*$/gm, '')).length > 20)
  for (const [name, text] of Object.entries({ jwtSecret, signingSecret, key, token: good, signature: good.slice(-43), policy: 'let-ann-in', link: url.slice(-43) })) t.notOk(log.includes(text), name)
})
