import t from 'tap'
import { grantOf, type ClaimRules, type TokenGrant } from '../../../lib/access/claims.ts'

const rules: ClaimRules = { strategy: 'staff', scopeClaim: 'scope', pathsClaim: 'paths', leewaySeconds: 5 }

/** Claims as they come out of a token. */
function read (claims: string | object, more: Partial<ClaimRules> = {}): TokenGrant | string {
  return grantOf(JSON.parse(typeof claims === 'string' ? claims : JSON.stringify(claims)) as Record<string, unknown>, { ...rules, ...more })
}

function granted (claims: string | object, more: Partial<ClaimRules> = {}): TokenGrant {
  const grant = read(claims, more)
  if (typeof grant === 'string') throw new Error(grant)
  return grant
}

t.test('who it is, is the subject, where that is a text', t => {
  t.strictSame(granted({ sub: 'anna', more: { a: [1] } }).principal, { strategy: 'staff', name: 'anna', scopes: [], claims: { sub: 'anna', more: { a: [1] } } })
  for (const claims of [{}, { sub: 5 }, { sub: ['anna'] }, { sub: null }]) t.equal(granted(claims).principal.name, '', JSON.stringify(claims))
  t.end()
})

t.test('scopes are a text with spaces, or a list', t => {
  const scopes = (scope: unknown): unknown => {
    const grant = read({ scope })
    return typeof grant === 'string' ? grant : grant.principal.scopes
  }
  t.strictSame(scopes('read  write '), ['read', 'write'])
  t.strictSame(scopes(['read', 'write all']), ['read', 'write all'])
  t.strictSame(scopes(''), [])
  for (const wrong of [null, 5, true, {}, { 0: 'admin', length: 1 }, ['read', 5], [['read']]]) t.equal(scopes(wrong), 'scopes that are none', JSON.stringify(wrong))
  t.strictSame(granted({ scp: 'x', scope: 5 }, { scopeClaim: 'scp' }).principal.scopes, ['x'], 'the configured claim alone')
  t.end()
})

t.test('a claim may have the name of what every object has', t => {
  t.strictSame(granted({}, { scopeClaim: 'constructor', pathsClaim: 'toString' }).principal.scopes, [])
  t.equal(granted({}, { pathsClaim: '__proto__' }).covers, undefined)
  t.equal(granted('{"__proto__":["/a"]}', { pathsClaim: '__proto__' }).covers?.('/b'), false)
  t.end()
})

// JSON has numbers that no clock has: 1e400 is read as Infinity, which is later than everything.
t.test('times are numbers that a clock may show', t => {
  for (const name of ['exp', 'nbf', 'iat']) {
    for (const wrong of ['1e400', '-1e400', '-1', '8640000000001', '1e300', '"5"', 'null', 'true', '[5]', '{}']) t.equal(read(`{"${name}":${wrong}}`), 'times that are none', `${name}: ${wrong}`)
    for (const good of ['0', '1.5', '8640000000000']) t.type(read(`{"${name}":${good}}`), 'object', `${name}: ${good}`)
  }
  t.equal(read({ nbf: 6, exp: 5 }), 'ends before it begins')
  t.type(read({ nbf: 5, exp: 5 }), 'object')
  t.end()
})

t.test('it holds from the later of nbf and iat until the earlier of exp and its greatest age', t => {
  const times = (claims: object, more?: Partial<ClaimRules>): number[] => {
    const { fromMs, untilMs } = granted(claims, more)
    return [fromMs, untilMs]
  }
  t.same(times({}), [-5000, Infinity])
  t.same(times({ nbf: 100, exp: 200 }), [95_000, 205_000])
  t.same(times({ iat: 150, nbf: 100, exp: 200 }), [145_000, 205_000])
  t.same(times({ iat: 150, exp: 200 }, { maxAgeSeconds: 10 }), [145_000, 160_000])
  t.same(times({ iat: 150, exp: 155 }, { maxAgeSeconds: 600, leewaySeconds: 0 }), [150_000, 155_000])
  t.end()
})

t.test('a path with a slash at its end is all below, any other is itself', t => {
  const { covers } = granted({ paths: ['/a/4/', '/b/cat.jpg', '/c%2e\\ü\u0000'] })
  for (const path of ['/a/4/', '/a/4/x', '/a/4/x/y/', '/b/cat.jpg', '/c%2e\\ü\u0000']) t.equal(covers?.(path), true, JSON.stringify(path))
  for (const path of ['/a/4', '/a/42/x', '/a/', '/', '/b/cat.jpg/', '/b/cat.jpgx', '/b/', '/A/4/x', '/c.\\ü\u0000']) t.equal(covers?.(path), false, JSON.stringify(path))
  t.equal(granted({ paths: ['/'] }).covers?.('/anything'), true)
  t.equal(granted({ paths: [] }).covers?.('/'), false, 'an empty list covers nothing')
  t.equal(granted({}).covers, undefined, 'without the claim there is no restriction')
  t.end()
})

t.test('paths that no decoded path can be like are none', t => {
  for (const wrong of ['/a/', null, {}, 5, ['a'], [''], ['/a', 5], [null], ['/a//b'], ['//'], ['//evil/'], ['/a/../b'], ['/..'], ['/../'], ['/./a'], ['/a/.'], ['*'], Array(1001).fill('/a')]) {
    t.equal(read({ paths: wrong }), 'paths that are none', JSON.stringify(wrong).slice(0, 30))
  }
  t.type(read({ paths: Array(1000).fill('/a/') }), 'object')
  t.type(read({ paths: ['/...', '/.a/..b/', '/a/b..'] }), 'object', 'dots that are part of a name')
  t.end()
})

t.test('what a token says is shared by requests, so nobody can change it, however deep it is', t => {
  const deep = `${'['.repeat(4000)}${']'.repeat(4000)}`
  const { principal } = granted(`{"roles":["reader"],"of":{"team":{"name":"x"}},"deep":${deep},"no":null}`)
  const claims = principal.claims as Record<string, unknown>
  t.throws(() => (claims.roles as string[]).push('admin'), TypeError)
  t.throws(() => { (claims.of as { team: { name: string } }).team.name = 'y' }, TypeError)
  t.throws(() => (principal.scopes as string[]).push('admin'), TypeError)
  t.ok(Object.isFrozen(principal))
  t.end()
})
