import t, { type Test } from 'tap'
import { cookieAdapter } from '../../../../lib/upstream/rewrite/cookies.ts'

function check (t: Test, places: { origins: string[], mountPrefix: string }, rows: Array<[string, string[]]>): void {
  const adapt = cookieAdapter({ ...places, origins: places.origins.map(url => new URL(url)) })
  for (const [field, expected] of rows) t.same(adapt([field]), expected, field)
}

const usual = { origins: ['http://origin/base/'], mountPrefix: '/cdn' }

t.test('the domain goes, and the path is one of the mount', async t => {
  check(t, usual, [
    ['a=1; Domain=origin; Path=/base/x', ['a=1; Path=/cdn/x']],
    ['a=1; domain=.origin', ['a=1']],
    ['a=1; Domain', ['a=1']],
    ['a=1;path=/base', ['a=1; Path=/cdn']],
    ['a=1; Path=/base/', ['a=1; Path=/cdn/']],
    ['a=1; PATH = /base/x/', ['a=1; Path=/cdn/x/']]
  ])
})

t.test('a path above the base is that of the mount, and one beside it has no cookie here', async t => {
  check(t, usual, [
    ['a=1; Path=/', ['a=1; Path=/cdn']],
    ['a=1; Path=/basement', []],
    ['a=1; Path=/other', []],
    ['a=1; Path=/bas', []]
  ])
  check(t, { origins: ['http://origin/a/b'], mountPrefix: '/cdn' }, [
    ['a=1; Path=/a', ['a=1; Path=/cdn']],
    ['a=1; Path=/a/', ['a=1; Path=/cdn']]
  ])
})

t.test('all other attributes stay as they are', async t => {
  check(t, usual, [
    ['id="a=b, c"; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; Secure; HttpOnly; SameSite=Lax; Partitioned; Priority=High; Path=/base', ['id="a=b, c"; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; Secure; HttpOnly; SameSite=Lax; Partitioned; Priority=High; Path=/cdn']],
    ['a=1', ['a=1']],
    ['a=1; Path=', ['a=1; Path=']],
    ['a=1; Path=relative', ['a=1; Path=relative']],
    ['Path=/base', ['Path=/base']],
    ['', ['']]
  ])
})

t.test('a cookie that is bound to the root cannot be put below a prefix', async t => {
  check(t, usual, [
    ['__Host-id=1; Secure; Path=/', []],
    ['__host-id=1; Secure; Path=/', []],
    ['__Secure-id=1; Secure; Path=/', ['__Secure-id=1; Secure; Path=/cdn']]
  ])
  check(t, { origins: ['http://origin/'], mountPrefix: '' }, [
    ['__Host-id=1; Secure; Path=/', ['__Host-id=1; Secure; Path=/']],
    ['a=1; Domain=origin; Path=/x', ['a=1; Path=/x']]
  ])
})

t.test('several cookies, and several origins', async t => {
  const adapt = cookieAdapter({ origins: [new URL('http://one/a'), new URL('http://two/b'), new URL('http://one/a/c')], mountPrefix: '' })
  t.same(adapt(['x=1; Path=/a', 'y=2; Path=/b/z', 'z=3; Path=/c', 'w=4; Path=/a/c/d; Path=/']), ['x=1; Path=/', 'y=2; Path=/z', 'w=4; Path=/d; Path=/'])
})
