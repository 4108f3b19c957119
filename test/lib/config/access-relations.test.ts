import { join } from 'node:path'
import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { scratch } from '../../helpers/app.ts'
import { files, mistakesIn } from './mistakes-in.ts'

const secret = 'q8#kP2!vR9mX4$tL7wZ1cN6bH3jF5dS0'
const strategies = { office: { driver: 'ip', allow: ['192.0.2.0/24'] }, links: { driver: 'signed', keys: [{ id: 'a', secret }] } }

async function told (mount: Record<string, unknown>, rest: Record<string, unknown> = {}): Promise<string[]> {
  return await mistakesIn({ sources: files, strategies, mounts: [{ prefix: '/private', source: 'files', ...mount }], ...rest })
}

t.test('rules name strategies that are there, in a shape that they have', async t => {
  const cases: Array<[rule: unknown, message: RegExp]> = [
    ['ofice', /^mounts\[0\]\.access\.read: Expected the name of a strategy but received "ofice"\. Did you mean office\?$/],
    [['office', 'link'], /received "link"\. Did you mean links\?$/],
    [[], /^mounts\[0\]\.access\.read: Expected public, nobody, a list of names/],
    [{ any: ['office'], all: ['links'] }, /Expected public, nobody/],
    [{ some: ['office'] }, /Expected public, nobody/],
    [{ all: [{ any: [{ all: ['office'] }] }] }, /Expected public, nobody/],
    [['public', 'office'], /Expected names of strategies but received public, which stands alone/],
    [[3], /Expected public, nobody/],
    [3, /^mounts\[0\]\.access\.read: Expected a text but received 3$/]
  ]
  for (const [rule, message] of cases) t.match((await told({ access: { read: rule } })).join('\n'), message, JSON.stringify(rule))
  for (const rule of ['public', 'nobody', 'office', ['office', { all: ['links', 'office'] }], { any: ['office'] }, { all: ['office', { any: ['links'] }] }]) t.same(await told({ access: { read: rule } }), [], JSON.stringify(rule))
})

t.test('rules may name what the app gives itself, by a name that is nobody else\'s', async t => {
  const own = async (read: string, ownStrategies: string[]): Promise<string[]> => await mistakesIn({ sources: files, strategies, mounts: [{ source: 'files', access: { read } }] }, { ownStrategies })
  t.same(await own('session', ['session', 'unused']), [])
  t.match(await own('sesion', ['session']), [/^mounts\[0\]\.access\.read: Expected the name of a strategy but received "sesion"\. Did you mean session\?$/])
  t.match(await own('ofice', ['session']), [/Did you mean office\?$/])
  t.match(await own('office', ['office']), [/^ownStrategies\.office: Expected a name of its own, but the configuration has a strategy of this name$/])
})

t.test('no strategy has a name that means something else in rules', async t => {
  t.match(await told({}, { strategies: { public: strategies.office, nobody: strategies.office } }), [/^strategies\.public: Expected another name, because in rules public is no strategy$/, /^strategies\.nobody: /])
  t.match(await mistakesIn({}, { ownStrategies: ['nobody'] }), [/^ownStrategies\.nobody: Expected another name/])
})

t.test('what is no reading is for nobody, or for those who are named', async t => {
  const soon = { strategies: { ...strategies, links: { ...strategies.links, mode: 'report-only' } } }
  t.match(await told({ access: { read: 'links', write: ['office', 'links'], methods: { DELETE: 'links', GET: 'links' } } }, soon), [/^mounts\[0\]\.access\.write: Expected strategies that refuse, .* but links is in mode report-only$/, /^mounts\[0\]\.access\.methods\.DELETE: Expected strategies that refuse/])
  t.match(await told({ access: { write: 'public', methods: { DELETE: 'public', GET: 'public' } } }), [/^mounts\[0\]\.access\.write: Expected nobody or names/, /^mounts\[0\]\.access\.methods\.DELETE: Expected nobody or names/])
})

t.test('a cache for all does not stand behind credentials that are passed on', async t => {
  const far = { upstreams: { far: { origins: [{ url: 'http://127.0.0.1:1' }] } } }
  const proxied = { source: undefined, delivery: 'proxy', upstream: 'far', sharedCache: {} }
  t.match(await told({ ...proxied, access: { read: 'office', passCredentials: true } }, far), [/^mounts\[0\]\.access\.passCredentials: Expected false, because sharedCache/])
  t.same(await told({ ...proxied, access: { read: 'office' } }, far), [])
})

t.test('exceptions lie below the mount, and API keys are for mounts that are there', async t => {
  t.match(await told({ access: { read: 'office', except: ['/private/login', '/login', '/private-not'] } }), [/except\[1\]: Expected a path below \/private\/ but received "\/login"/, /except\[2\]/])
  const hash = `sha256:${'ab'.repeat(32)}`
  t.match(await told({}, { strategies: { machines: { driver: 'apiKey', keys: [{ name: 'a', hash, mounts: ['/private/', '/privat'] }] } } }), [/^strategies\.machines\.keys\[0\]\.mounts\[1\]: Expected the prefix of a mount but received \/privat\. Did you mean \/private\?$/])
})

t.test('images that need a signature have one strategy that knows it', async t => {
  t.match(await told({ images: { mode: 'signed', signedBy: 'office' } }), [/^mounts\[0\]\.images\.signedBy: Expected the name of a strategy with driver signed but received "office"/])
  t.match(await told({ images: { mode: 'signed' } }, { strategies: { ...strategies, more: strategies.links } }), [/signedBy: Expected one of links, more, because there are several/])
  t.same(await told({ images: { mode: 'signed' } }), [])
})

t.test('limits limit something, and principals where they are known', async t => {
  t.match(await told({ rateLimit: {} }), [/^mounts\[0\]\.rateLimit: Expected addresses or principals/])
  t.match(await told({ rateLimit: { principals: { max: 1 } } }), [/^mounts\[0\]\.rateLimit\.principals: Expected access too/])
})

t.test('files with keys are looked for beside the configuration, and read before the first request', async t => {
  const base = await scratch(t, { 'signing.key': `${secret}\n`, 'short.key': 'short\n' })
  const from = async (secretFile: string): Promise<unknown> => await resolveConfig({ strategies: { links: { driver: 'signed', keys: [{ id: 'a', secretFile }] } } }, { base })
  await from('signing.key')
  await t.rejects(from('missing.key'), { message: /strategies\.links\.keys\[0\]\.secretFile: Expected a file that can be read but .*missing\.key" does not exist/ })
  await t.rejects(from('short.key'), { message: /strategies\.links\.keys\[0\]\.secretFile: Expected a secret that cannot be guessed/ })
  const jwt = async (options: object): Promise<unknown> => await resolveConfig({ strategies: { staff: { driver: 'jwt', ...options } } }, { base })
  await t.rejects(jwt({ algorithms: ['HS256'], keyFile: 'missing.key' }), { message: /strategies\.staff\.keyFile: Expected a file/ })
  await t.rejects(jwt({ algorithms: ['HS256', 'RS256'], keyFile: 'signing.key' }), { message: /strategies\.staff\.algorithms/ })
  await t.rejects(resolveConfig({ strategies: { policy: { driver: 'forward', url: 'https://a.example/', ca: 'signing.key' }, certificates: { driver: 'mtls', verifiedHeader: 'X-A' } } }, { base }), { message: /strategies\.policy\.ca: Expected a PEM file[\s\S]*strategies\.certificates/ })
  const { config } = await resolveConfig({ strategies: { links: { driver: 'signed', keys: [{ id: 'a', secretFile: 'signing.key' }] }, staff: { driver: 'jwt', algorithms: ['HS256'], keyFile: 'signing.key' } }, plugins: { audit: { module: './audit.mjs' } } }, { base })
  t.match(config, { strategies: { links: { keys: [{ secretFile: join(base, 'signing.key') }] }, staff: { keyFile: join(base, 'signing.key') } }, plugins: { audit: { module: join(base, 'audit.mjs') } } })
})

t.test('a secret that stands in the configuration is never shown', async t => {
  const { secrets } = await resolveConfig({ strategies: { links: { driver: 'signed', keys: [{ id: 'a', secret }] }, staff: { driver: 'jwt', algorithms: ['HS256'], key: `${secret}!` } } }, { base: '/' })
  t.same([...secrets], [secret, `${secret}!`])
  const mistakes = await mistakesIn({ strategies: { links: { driver: 'signed', keys: [{ id: secret, secret }] } } })
  t.ok(mistakes.length > 0)
  t.notMatch(JSON.stringify(mistakes), /kP2/)
})
