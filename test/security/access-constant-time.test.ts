/**
 * Whoever may guess as often as they like measures how long a refusal takes: `===` ends at the first byte that
 * differs, and a secret is found byte by byte (CVE-2018-12422 and many like it). A timed test would tell more of the
 * machine than of the code, so the code is read instead.
 *
 * What is held: which modules compare secrets, and that they do so by `timingSafeEqual`; and that nowhere in
 * lib/access, lib/signing and the plugins before them stands a comparison, or a look-up, by something that is named
 * as secrets are, but for those that are listed here with why they tell nothing. What is not: a secret by another
 * name, and what the compiler makes of it all.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname ?? '.', '../..')
const modulesIn = (directory: string): string[] => readdirSync(join(root, directory)).filter(name => name.endsWith('.ts')).map(name => `${directory}/${name}`)
const modules = [...modulesIn('lib/access'), ...modulesIn('lib/signing'), 'plugins/auth.ts', 'plugins/strategies.ts', 'plugins/rate-limit.ts']
const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
const code = (file: string): string => withoutComments(readFileSync(join(root, file), 'utf8'))

const secretName = /(?:secret|token|digest|mac|signature|credential|password|presented|hash|authorization|bearer|key)s?$/i
const constant = /^(?:undefined|null|true|false|-?\d+|'[^']*')$/

/** The last name of `this.#keys.get(a)?.digest[0]`. */
function nameOf (expression: string): string {
  return expression.replaceAll(/\([^()]*\)|\[[^\]]*\]/g, '').match(/[\w$]+/g)?.at(-1) ?? ''
}

/** Comparisons and look-ups by what is named as secrets are. What something is compared with that is no secret does not count. */
function comparisons (text: string): string[] {
  const found: string[] = []
  for (const [, left = '', sign = '', right = ''] of text.matchAll(/((?:typeof )?(?:[\w$.#?]|\[\w+\]|\([^()]*\))+) ([!=]==?) ((?:[\w$.#?]|\[\w+\]|-|'[^']*')+)/g)) {
    if (!left.startsWith('typeof ') && !constant.test(right) && [left, right].some(side => secretName.test(nameOf(side)))) found.push(`${left.replace(/^[^\w]+/, '')} ${sign} ${right}`)
  }
  for (const [all, on = '', argument = ''] of text.matchAll(/([\w$.#?]+)\.(?:includes|indexOf|lastIndexOf|startsWith|endsWith|has|get|equals|compare|localeCompare|match|search|test)\(((?:[^()]|\([^()]*\))*)\)/g)) {
    const isByOne = argument.replaceAll(/'[^']*'/g, '').match(/[\w$]+/g)?.some(word => secretName.test(word)) === true
    if (isByOne || /(?:secret|digest|mac|signature|presented|password)$/i.test(nameOf(on))) found.push(all)
  }
  return found
}

/** Where something is compared that is named so, and why that tells nothing. */
const harmless: Record<string, Record<string, string>> = {
  'lib/access/api-keys.ts': {
    'other[path] === key[path]': 'of a configuration, at start',
    'keys[first] === key': 'of a configuration, at start',
    'publicHashes.get(key.hash)': 'of a configuration, at start',
    'this.#keys.get(bucketOf(digest))': 'by four bytes of SHA-256 of the key, which tell nothing of it'
  },
  'lib/access/bearer.ts': { 'token68.test(token)': 'its characters, which whoever sent it knows' },
  'lib/access/forward.ts': { 'this.#kept.get(key)': 'by SHA-256 of all that the service is told' },
  'lib/access/jwt.ts': {
    'this.#known.get(digest)': 'by SHA-256 of the token: no byte of one tells a byte of the other',
    'shown.known?.key === key': 'two objects, of public keys mostly, by what they are and not by what they hold',
    'this.#checks.get(key)': 'the same'
  },
  'lib/access/key-set.ts': { 'kept.get(spell(key))': 'public keys' },
  'lib/access/order-mistakes.ts': { 'refused.has(routeKey(method, url))': 'names of routes', 'own.has(routeKey(method, url))': 'names of routes' },
  'lib/access/printed-routes.ts': { 'key === EMPTY_ROOT': 'names of routes' },
  'lib/access/secrets.ts': { 'exampleSecrets.includes(secret.trim().toLowerCase())': 'of a configuration, at start' },
  'lib/access/signed.ts': { 'secrets.indexOf(secret)': 'of a configuration, at start' },
}

t.test('the reading finds what it is to find', async t => {
  const careless = ['if (secret === other) x', 'return presented == key.secret', 'a.mac !== b.mac', 'const known = keys.get(token)', 'keys.has(request.headers.authorization)', 'hashes.includes(hash)', 'list.indexOf(String(password))', 'expected.digest.equals(sent)', 'secret.startsWith(part)', 'this.#keys.get(sent.mac)', 'held?.signature === sent?.signature', 'tokens[place] === token']
  for (const line of careless) t.equal(comparisons(line).length, 1, line)
  for (const line of ['if (key === undefined) x', "bearer.kind === 'token'", 'typeof token === type', 'secret !== null', 'digest.length === 32', 'this.#keys.get(sent.id)', 'timingSafeEqual(key.digest, digest)']) t.same(comparisons(line), [], line)
  t.same(comparisons(withoutComments('/* secret === x */ a() // token === y')), [])
})

t.test('secrets are compared in constant time where they are compared', async t => {
  for (const file of ['lib/access/api-keys.ts', 'lib/signing/verifier.ts']) {
    t.match(code(file), /import \{[^}]*\btimingSafeEqual\b[^}]*\} from 'node:crypto'/, `${file} has it from Node.js`)
    t.match(code(file).replace(/^import.*$/gm, ''), /\btimingSafeEqual\(/, `${file} uses it`)
  }
})

t.test('who works out what a secret should be compares by it, or compares nothing', async t => {
  const without: Record<string, string> = {
    'lib/access/forward.ts': 'keeps answers by a hash',
    'lib/access/jwt.ts': 'keeps tokens by a hash; @fastify/jwt compares'
  }
  for (const file of modules) {
    const [, imported = ''] = /import \{([^}]*)\} from 'node:crypto'/.exec(code(file)) ?? []
    if (!/\b(?:hash|createHash|createHmac|createSecretKey)\b/.test(imported)) continue
    t.equal(/\btimingSafeEqual\b/.test(imported), without[file] === undefined, file)
  }
})

t.test('no secret is compared or looked up in another way', async t => {
  t.ok(modules.length > 25)
  for (const file of modules) {
    const [found, known] = [comparisons(code(file)), Object.keys(harmless[file] ?? {})]
    t.same(found.filter(one => !known.includes(one)), [], file)
    t.same(known.filter(one => !found.includes(one)), [], `${file}: what is listed is there`)
  }
  for (const file of Object.keys(harmless)) t.ok(modules.includes(file), `${file} is there`)
})

t.test('a signature of a shared secret is compared in constant time by the library, too', async t => {
  const library = withoutComments(readFileSync(join(root, 'node_modules/fast-jwt/src/crypto.js'), 'utf8'))
  t.match(library, /timingSafeEqual\(createHmac\(alg, key\)\.update\(input\)\.digest\(\), signature\)/)
  t.notMatch(library, /signature [!=]==? [^'\s]*(?:digest|createHmac|createSignature)/)
})

t.test('nobody else has a secret to compare', async t => {
  const elsewhere = ['lib', 'plugins', 'routes'].flatMap(folder => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).map(name => `${folder}/${name}`)).filter(file => !modules.includes(file))
  t.ok(elsewhere.length > 100)
  // Messages are signed for others to compare: nothing that came from anybody is held against that.
  const signs = 'lib/events/signature.ts'
  t.notMatch(code(signs), /timingSafeEqual|request|headers\[/, signs)
  for (const file of elsewhere) t.notMatch(code(file), file === signs ? /(?:secret|apiKey|signature) [!=]==? (?!undefined|null|')/i : /\b(?:createHmac|timingSafeEqual|createSecretKey)\b|(?:secret|apiKey|signature) [!=]==? (?!undefined|null|')/i, file)
})
