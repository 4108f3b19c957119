/**
 * Every door has its lock, but are they the right ones, and is there a way around: a public mount over a protected
 * one, one that is a gateway inside one that serves files, a mount whose variants need a signature below one that
 * needs a key, a preflight, a method that only some may use, a field by which an origin takes it for another or makes
 * a WebSocket of it, a signature that is only counted yet? Nobody thinks of all of them. So mounts and their rules are put together by chance, and requests too: either such a
 * configuration does not start, or whoever may not gets nothing, by a model of who may that knows nothing of the code.
 */
import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import sharp from 'sharp'
import t, { type Test as Tap } from 'tap'
import type { MediaOptions } from '../../app.ts'
import { keyHash } from '../../lib/access/api-keys.ts'
import { ConfigError } from '../../lib/config/mistakes.ts'
import { signTarget } from '../../lib/signing/signer.ts'
import { ask, scratch, serveMedia, type Answer, type Served } from '../helpers/app.ts'
import { origin, type Origin } from '../helpers/origin.ts'
import { seeded } from '../helpers/random-transforms.ts'
import { inSeconds, sharedSecret, token } from '../helpers/tokens.ts'

const COMPOSITIONS = 40
const REQUESTS = 40
const seed = Number(process.env.SEED ?? 5)

const random = seeded(seed)
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
const chance = (probability: number): boolean => random() < probability

const places = ['/', '/a', '/a/b', '/a/b/c', '/ab', '/a.b', '/A', '/c', '/c/d', '/a/B']
const reading = new Set(['GET', 'HEAD', 'OPTIONS'])
const full = 'fm_a-key-for-all-methods-0123456789'
const reader = 'fm_a-key-for-reading-01234567890123'
const signing = { id: 'k', secret: randomBytes(32).toString('base64url') }
const trying = { id: 't', secret: randomBytes(32).toString('base64url') }
const everything = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']
const strategies = {
  machines: { driver: 'apiKey', bearer: false, keys: [{ name: 'full', hash: keyHash(full), methods: [...everything, 'WEBSOCKET'] }, { name: 'reader', hash: keyHash(reader) }] },
  staff: { driver: 'jwt', algorithms: ['HS256'], key: sharedSecret },
  here: { driver: 'ip', allow: ['127.0.0.0/8'] },
  elsewhere: { driver: 'ip', allow: ['192.0.2.0/24'] },
  links: { driver: 'signed', keys: [signing] },
  trial: { driver: 'signed', mode: 'report-only', keys: [trying] }
}
const readers = Object.keys(strategies)
/** Where something changes, a strategy that does not count yet may not be named. */
const writers = readers.filter(name => name !== 'trial')

type Requirement = string | string[] | { any: Array<string | { all: string[] }> } | { all: Array<string | { any: string[] }> }
interface Mount {
  prefix: string
  delivery: 'serve' | 'proxy' | 'gateway'
  access?: { read?: Requirement, write?: Requirement, methods?: Record<string, Requirement> }
  cors?: { origins: string[], credentials?: boolean }
  images?: { mode: string, signedBy?: 'links' | 'trial' }
}

function requirement (names: readonly string[]): Requirement {
  const several = (): string[] => Array.from({ length: 1 + Math.floor(random() * 2) }, () => pick(names))
  return pick<() => Requirement>([() => 'public', () => 'nobody', () => pick(names), several, () => ({ any: [pick(names), { all: several() }] }), () => ({ all: [pick(names), { any: several() }] }), () => ({ any: several() })])()
}

/** Of which some may not start: {@link isUnsafe}. */
function mountAt (prefix: string): Mount {
  const delivery = pick(['serve', 'serve', 'proxy', 'gateway'] as const)
  const mayWrite = delivery === 'gateway'
  const closed = (): Requirement => { for (;;) { const one = requirement(chance(0.05) ? readers : writers); if (one !== 'public' || chance(0.4)) return one } }
  const single = (): [string, Requirement] => chance(0.6) ? [pick([...reading]), requirement(readers)] : [pick(['DELETE', 'POST', 'PUT', 'PATCH', 'WEBSOCKET']), closed()]
  const methods = Object.fromEntries(Array.from({ length: chance(0.5) ? 1 + Math.floor(random() * 3) : 0 }, single))
  const access = chance(0.25) ? undefined : { read: requirement(readers), ...chance(mayWrite ? 0.7 : 0.2) ? { write: closed() } : {}, ...Object.keys(methods).length === 0 ? {} : { methods } }
  return {
    prefix,
    delivery,
    ...access === undefined ? {} : { access },
    ...chance(0.4) ? { cors: { origins: [chance(0.1) ? '*' : 'https://app.example'], ...chance(0.2) ? { credentials: true } : {} } } : {},
    ...delivery === 'serve' ? { images: pick<NonNullable<Mount['images']>>([{ mode: 'off' }, { mode: 'open' }, { mode: 'signed', signedBy: 'links' }, { mode: 'signed', signedBy: pick(['links', 'trial']) }]) } : {}
  }
}

/** Writing for everybody, or for whom a strategy lets in that refuses nobody, or other sites with anybody's cookies. */
function isUnsafe ({ access: { write, methods = {} } = {}, cors }: Mount): boolean {
  const writing = [write, ...Object.entries(methods).flatMap(([method, rule]) => reading.has(method) ? [] : [rule])]
  return writing.some(rule => rule === 'public' || JSON.stringify(rule ?? '').includes('trial')) || (cors?.credentials === true && cors.origins.includes('*'))
}

function compositionOf (): Mount[] {
  const chosen = new Set(Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(places)))
  return [...chosen].map(mountAt)
}

/** What is sent along. */
interface Asked {
  method: string
  path: string
  key?: 'full' | 'reader' | 'wrong'
  token?: 'good' | 'bad'
  /** By which strategy it holds. */
  signature?: 'links' | 'trial' | 'none'
  preflight?: boolean
  override?: string
  upgrade?: string
  /** With it, Node.js hears the wish too. */
  connection?: string
}

const spellings = [(path: string) => path.toUpperCase(), (path: string) => path.replace('/', '//'), (path: string) => `/.${path}`, (path: string) => path.replace(/^\/(\w)/, (_, letter: string) => `/%${letter.charCodeAt(0).toString(16)}`), (path: string) => `/x/..${path}`, (path: string) => path.replace(/(.)\//, '$1%2F'), (path: string) => path.replace(/(.)\//, '$1;v=1/'), (path: string) => `/_IPX/w_8${path}`]

function requestTo (mounts: readonly Mount[]): Asked & { odd: boolean } {
  const prefix = chance(0.85) ? pick(mounts).prefix : pick(places)
  const base = prefix === '/' ? '' : prefix
  const plain = base + pick(['/x.txt', '/x.txt', '/x.txt?y=1', '/pic.png', '/pic.png?w=8', '/_ipx/w_8/pic.png', '/missing', '/', '/b/x.txt'])
  const rooted = chance(0.1) ? `/_ipx/w_8${base}/pic.png` : plain
  const odd = chance(0.15)
  return {
    method: pick([...everything, 'GET', 'GET', 'GET', 'GET']),
    path: odd ? pick(spellings)(rooted) : rooted,
    odd,
    ...chance(0.4) ? { key: pick(['full', 'full', 'reader', 'wrong'] as const) } : {},
    ...chance(0.4) ? { token: pick(['good', 'good', 'bad'] as const) } : {},
    ...chance(0.3) ? { signature: pick(['links', 'links', 'trial', 'none'] as const) } : {},
    ...chance(0.05) ? { preflight: true, method: 'OPTIONS' } : {},
    ...chance(0.1) ? { override: pick(['DELETE', 'GET', 'PATCH', 'HEAD']) } : {},
    ...chance(0.1) ? { upgrade: pick(['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13', 'h2c']), ...chance(0.5) ? { connection: 'upgrade' } : {} } : {}
  }
}

async function send (served: Served, { method, path, key, token: kind, signature, preflight, override, upgrade, connection }: Asked): Promise<Answer> {
  const good = signature === undefined ? path : signedOf(path, signature === 'trial' ? trying : signing)
  const target = signature === 'none' ? `${good.slice(0, -2)}AA` : good
  const headers: Record<string, string> = {
    ...key === undefined ? {} : { 'x-api-key': { full, reader, wrong: 'fm_guessed' }[key] },
    ...kind === undefined ? {} : { authorization: `Bearer ${token({ alg: 'HS256', key: kind === 'good' ? sharedSecret : 'guessed', claims: { exp: inSeconds(600) } })}` },
    ...preflight === true ? { 'origin': 'https://app.example', 'access-control-request-method': 'GET' } : {},
    ...override === undefined ? {} : { 'x-http-method-override': override },
    ...upgrade === undefined ? {} : { upgrade },
    ...connection === undefined ? {} : { connection }
  }
  return await ask(served, target, { method, headers })
}

/** Some spellings are none that anybody signs. */
function signedOf (path: string, key: typeof signing): string {
  try {
    return signTarget(path, key, { expiresIn: 600 })
  } catch {
    return `${path}${path.includes('?') ? '&' : '?'}sig=k.e1.${'A'.repeat(43)}`
  }
}

/* The model of who may. */

function holds (name: string, { method, key, token: kind, signature }: Asked): boolean {
  switch (name) {
    case 'machines': return key === 'full' || (key === 'reader' && reading.has(method))
    case 'staff': return kind === 'good'
    case 'links': return signature === 'links' && reading.has(method)
    default: return name === 'here' || name === 'trial' // which lets in whoever it would refuse
  }
}

function meets (rule: Requirement | { any: string[] } | { all: string[] }, asked: Asked): boolean {
  if (rule === 'public' || rule === 'nobody') return rule === 'public'
  if (typeof rule === 'string') return holds(rule, asked)
  if ('all' in rule) return rule.all.every(one => meets(one, asked))
  return (Array.isArray(rule) ? rule : rule.any).some((one: Requirement | { all: string[] }) => meets(one, asked))
}

function ruleFor ({ access, delivery }: Mount, method: string): Requirement {
  if (access === undefined) return 'public'
  const { read = 'public', write = 'nobody', methods = {} } = access
  if (delivery !== 'gateway' && !reading.has(method)) return read // what does not read is 405 to whom may read
  return methods[method] ?? (reading.has(method) ? read : write)
}

/** A wish that Node.js hears is taken out of what is no handshake. */
function wishesForSocket ({ method, upgrade = '', connection }: Asked): boolean {
  const names = upgrade.toLowerCase()
  return connection === undefined ? names.includes('websocket') : method === 'GET' && names.split(/, */).includes('websocket')
}

/** Of a gateway, the origin may take a request for others: whoever sends it has to be allowed these too. */
function allows (mount: Mount, asked: Asked): boolean {
  const { method: own, override = own } = asked
  const taken = mount.delivery === 'gateway' ? [override, wishesForSocket(asked) ? 'WEBSOCKET' : own] : []
  return [own, ...taken].every(method => meets(ruleFor(mount, method), { ...asked, method }))
}

/** Whether a request may have what is in a mount. */
function may (mount: Mount, asked: Asked): boolean {
  if (!allows(mount, asked)) return false
  if (mount.images?.mode !== 'signed' || mount.images.signedBy === 'trial') return true
  const isSigned = asked.signature === 'links' && reading.has(asked.method)
  if (['GET', 'HEAD'].includes(asked.method) && /[?&]w=|\/_ipx\//i.test(asked.path) && !isSigned) return false
  const isPublic = ruleFor(mount, asked.method) === 'public'
  return !isPublic || asked.signature === undefined || isSigned // to a signature that does not hold nothing is given
}

/** The mount that a path of files lies in: the one with the longest prefix. */
function ownerOf (path: string, mounts: readonly Mount[]): Mount | undefined {
  const within = (prefix: string): boolean => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)
  return mounts.filter(({ prefix }) => within(prefix)).toSorted((one, other) => other.prefix.length - one.prefix.length)[0]
}

/** Who could answer: of an IPX URL at the root, the mount of its file, or the one around that which makes variants, or the one that the whole path is in. */
function candidates (path: string, mounts: readonly Mount[]): Mount[] {
  const bare = path.split('?', 1)[0] as string
  const rooted = /^\/_ipx\/[^/]+(\/.*)$/.exec(bare)?.[1]
  const making = mounts.filter(({ images }) => images !== undefined && images.mode !== 'off')
  const owners = [ownerOf(bare, mounts), ...rooted === undefined ? [] : [ownerOf(rooted, mounts), ownerOf(rooted, making)]]
  return owners.filter(one => one !== undefined)
}

/* What is in the mounts tells where it lies. */

const colours = new Map(places.map((place, index) => [place, { r: 20 * index, g: 255 - 20 * index, b: 40 }]))
async function tree (): Promise<Record<string, string | Buffer>> {
  const entries = await Promise.all(places.map(async place => [
    [posix.join(place, 'x.txt').slice(1), `at:${place}`],
    [posix.join(place, 'pic.png').slice(1), await sharp({ create: { width: 16, height: 16, channels: 3, background: colours.get(place) as { r: number, g: number, b: number } } }).png().toBuffer()]
  ] as const))
  return Object.fromEntries(entries.flat())
}

/** Where the content of an answer lies; undefined where it tells nothing. */
async function placeOf ({ status, headers, body, text }: Answer): Promise<string | undefined> {
  if (status < 200 || status > 299 || body.length === 0) return undefined
  if (!String(headers['content-type']).startsWith('image/')) return /^at:(\S*)/.exec(text)?.[1]
  const { channels } = await sharp(body).removeAlpha().stats()
  const [r = 0] = channels.map(({ mean }) => mean)
  return [...colours].toSorted(([, one], [, other]) => Math.abs(one.r - r) - Math.abs(other.r - r))[0]?.[0]
}

async function far (t: Tap): Promise<Origin> {
  return await origin(t, ({ url = '' }, response) => {
    const path = decodeURIComponent(url.split('?', 1)[0] as string)
    response.setHeader('content-type', 'text/plain').end(`at:${posix.dirname(`${path}x`)}`)
  })
}

interface World { root: string, origin: Origin, cache: string }

function configOf (mounts: readonly Mount[], { root, origin: { url }, cache }: World): MediaOptions {
  const named = mounts.map((mount, place) => ({ ...mount, name: `m${place}` }))
  return {
    strategies,
    images: { workers: 1, cache: { directory: cache } },
    sources: Object.fromEntries(named.map(({ prefix, name }) => [name, { driver: 'file', root: posix.join(root, prefix) }])),
    upstreams: Object.fromEntries(named.map(({ prefix, name }) => [name, { origins: [{ url: url + (prefix === '/' ? '' : prefix) }] }])),
    mounts: named.map(({ name, ...mount }) => Object.assign(mount, mount.delivery === 'serve' ? { source: name } : { upstream: name }))
  } as unknown as MediaOptions
}

const refusals = new Set([400, 401, 403, 404, 405])

/** Compares an answer with the model. */
async function check (t: Tap, served: Served, { mounts, asked, origin: far }: { mounts: readonly Mount[], asked: Asked & { odd: boolean }, origin: Origin }): Promise<'in' | 'out'> {
  const reached = far.requests.length
  const answer = await send(served, asked)
  const story = (): string => `seed ${seed}: ${JSON.stringify(asked)} of ${JSON.stringify(mounts)} is ${answer.status} ${answer.text.slice(0, 80)}`
  const { status } = answer
  if (status >= 500) t.fail(`the server fails: ${story()}`)
  if (status === 401 && answer.headers['www-authenticate'] === undefined) t.fail(`it does not say what would help: ${story()}`)
  const place = await placeOf(answer)
  const owner = place === undefined ? undefined : ownerOf(place, mounts)
  if (owner !== undefined && !may(owner, asked)) t.fail(`it gives what lies in ${owner.prefix}: ${story()}`)
  const found = candidates(asked.path, mounts)
  const answering = asked.preflight === true ? found.filter(mount => mount.delivery !== 'gateway' || mount.cors !== undefined) : []
  if (asked.odd || answering.length > 0) {
    if (!asked.odd && answering.length === found.length && answer.body.length > 0 && status < 300) t.fail(`a preflight has no content: ${story()}`)
    return 'out'
  }
  const allowed = found.filter(mount => may(mount, asked))
  if (allowed.length === 0 && !refusals.has(status)) t.fail(`whoever may not is let in: ${story()}`)
  if (allowed.length === 0 && far.requests.length > reached) t.fail(`an origin is asked for who may not: ${story()}`)
  if (allowed.length === found.length && found.length > 0 && [401, 403].includes(status)) t.fail(`whoever may is not: ${story()}`)
  return allowed.length > 0 ? 'in' : 'out'
}

t.test('whatever mounts and rules are put together, either they do not start or nobody gets what they may not', async t => {
  const world: World = { root: await scratch(t, await tree()), origin: await far(t), cache: await scratch(t) }
  const counts = { refused: 0, in: 0, out: 0 }
  for (let round = 0; round < COMPOSITIONS; round++) {
    const mounts = compositionOf()
    let served: Served
    try {
      served = await serveMedia(t, configOf(mounts, world))
    } catch (error) {
      t.ok(error instanceof ConfigError || /in the order of hooks/.test((error as Error).message), `a mistake that is told as one: ${(error as Error).message}`)
      t.ok(mounts.some(isUnsafe), `nothing else is refused: ${JSON.stringify(mounts)}`)
      counts.refused++
      continue
    }
    t.notOk(mounts.some(isUnsafe), `what is unsafe does not start: ${JSON.stringify(mounts)}`)
    for (let count = 0; count < REQUESTS; count++) counts[await check(t, served, { mounts, asked: requestTo(mounts), origin: world.origin })]++
    await served.app.close()
  }
  t.comment(`seed ${seed}: ${JSON.stringify(counts)}`)
  t.ok(counts.refused > 0 && counts.refused < COMPOSITIONS / 2, 'some are refused at start')
  t.ok(counts.in > 100 && counts.out > 100, 'some may and some may not')
})

t.test('credentials for one method are none for the one that a field names beside it', async t => {
  const backend = await origin(t, (_request, response) => { response.end('done') })
  const post = 'fm_a-key-for-post-alone-0123456789'
  const keys = { driver: 'apiKey', keys: [{ name: 'post', hash: keyHash(post), methods: ['POST'] }, { name: 'reader', hash: keyHash(reader) }, { name: 'full', hash: keyHash(full), methods: everything }] }
  const access = { read: ['keys', 'links'], write: ['keys', 'links'], methods: { PATCH: 'nobody' } }
  const served = await serveMedia(t, {
    strategies: { keys, links: strategies.links },
    upstreams: { far: { origins: [{ url: backend.url }] } },
    mounts: [{ prefix: '/api', delivery: 'gateway', upstream: 'far', access }, { prefix: '/files', delivery: 'proxy', upstream: 'far', access }]
  } as unknown as MediaOptions)
  for (const field of ['x-http-method-override', 'X-HTTP-Method', 'x-method-override']) {
    for (const [method, key] of [['GET', reader], ['HEAD', reader], ['POST', post]] as const) {
      for (const other of ['DELETE', 'delete', ' PUT', 'DELETE, DELETE']) t.equal((await ask(served, '/api/x', { method, headers: { 'x-api-key': key, [field]: other } })).status, 403, `${method} as ${other}`)
    }
    t.equal((await ask(served, signTarget('/api/x', signing, { expiresIn: 600 }), { headers: { [field]: 'DELETE' } })).status, 401, 'nor is a link to a file one to delete it')
    for (const several of ['GET, DELETE', 'DELETE,GET', 'GET,', ',DELETE']) t.equal((await ask(served, '/api/x', { headers: { 'x-api-key': full, [field]: several } })).status, 400, several)
  }
  t.equal((await ask(served, '/api/x', { headers: { 'x-api-key': full, 'x-http-method-override': 'GET', 'x-http-method': 'DELETE' } })).status, 400)
  t.equal(backend.requests.length, 0, 'the origin hears of none')
  t.equal((await ask(served, '/api/x', { headers: { 'x-api-key': full, 'x-http-method-override': 'DELETE' } })).status, 200, 'who may both may')
  t.equal((await ask(served, '/api/x', { headers: { 'x-api-key': reader, 'x-http-method-override': 'get' } })).status, 200)
  t.equal((await ask(served, '/api/x', { headers: { 'x-api-key': full, 'x-http-method-override': 'PATCH' } })).status, 403)
  const before = backend.requests.length
  for (const method of ['GET', 'HEAD']) {
    for (const other of ['DELETE', 'GET, DELETE']) t.equal((await ask(served, '/files/x', { method, headers: { 'x-api-key': reader, 'x-http-method-override': other, 'x-http-method': other, 'x-method-override': 'PATCH' } })).status, 200, `files are read alone: ${method} stays ${method}`)
  }
  const passed = backend.requests.slice(before)
  t.same(passed.map(({ method }) => method), ['GET', 'GET', 'HEAD', 'HEAD'])
  for (const { headers } of passed) t.same(Object.keys(headers).filter(name => name.includes('method')), [], 'and its origin gets no field that names another')
})
