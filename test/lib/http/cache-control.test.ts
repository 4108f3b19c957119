import t from 'tap'
import { cacheControl, cachePolicy, cacheRulePattern } from '../../../lib/http/cache-control.ts'

t.test('a rule is written in the words of Cache-Control', async t => {
  const rows = [
    ['30d', 'public, max-age=2592000'],
    ['30d immutable', 'public, max-age=2592000, immutable'],
    ['5m stale-while-revalidate=1d no-transform', 'public, max-age=300, stale-while-revalidate=86400, no-transform'],
    ['0s', 'public, max-age=0'],
    ['2w', 'public, max-age=1209600'],
    ['1y, immutable', 'public, max-age=31536000, immutable'],
    ['1h s-maxage=60 stale-if-error=1h', 'public, max-age=3600, s-maxage=60, stale-if-error=3600'],
    ['max-age=60', 'max-age=60'],
    ['no-cache', 'no-cache'],
    ['no-store', 'no-store'],
    ['private no-cache must-revalidate', 'private, no-cache, must-revalidate']
  ] as const
  for (const [rule, value] of rows) {
    t.equal(cacheControl(rule), value)
    t.match(rule, new RegExp(cacheRulePattern))
  }
})

t.test('a bare duration beside private does not make it public', async t => {
  t.equal(cacheControl('private 5m'), 'private, max-age=300')
  t.equal(cacheControl('5m private'), 'max-age=300, private')
})

t.test('a directive is written once', async t => {
  t.equal(cacheControl('public 30d'), 'public, max-age=2592000')
  t.equal(cacheControl('30d public'), 'public, max-age=2592000')
  t.equal(cacheControl('1m max-age=60'), 'public, max-age=60')
})

t.test('seconds stop at 2^31 (RFC 9111 §1.2.2)', async t => {
  t.equal(cacheControl('9999999999y'), 'public, max-age=2147483648')
  t.equal(cacheControl('max-age=9999999999'), 'max-age=2147483648')
})

t.test('words that contradict each other are refused', async t => {
  t.throws(() => cacheControl('public private'), { name: 'TypeError', message: 'Expected either public or private' })
  t.throws(() => cacheControl('private 5m public'), { message: 'Expected either public or private' })
  t.throws(() => cacheControl('no-store 5m'), { message: 'Expected no-store to stand alone' })
  t.throws(() => cacheControl('30d max-age=5'), { message: 'Expected one value of max-age but received max-age=2592000 and max-age=5' })
  t.throws(() => cacheControl('30d 5m'), { message: /one value of max-age/ })
})

t.test('what is no word of a rule is refused by name, and by the pattern', async t => {
  for (const word of ['forever', '30', '30x', '-5m', '1.5h', 'max-age', 'max-age=', 'max-age=x', 'max-age=5=6', 'public=1', 'Public', '__proto__', 'constructor=1', '12345678901s', 'no-cache="set-cookie"', 'public\r\nX: y']) {
    t.throws(() => cacheControl(word), TypeError, JSON.stringify(word))
    t.notMatch(word, new RegExp(cacheRulePattern))
  }
})

t.test('the pattern answers a long rule in linear time', async t => {
  const started = performance.now()
  t.notMatch(`${'public '.repeat(10_000)}x`, new RegExp(cacheRulePattern))
  t.notMatch(`public${' ,'.repeat(30_000)}x`, new RegExp(cacheRulePattern))
  t.ok(performance.now() - started < 500)
})

t.test('the rule of the exact type goes before that of its range, and that before the default', async t => {
  const policyOf = cachePolicy({ default: 'no-cache', types: { 'Image/PNG': '30d', 'image/*': '1h', 'text/html': 'no-store' } })
  t.equal(policyOf('image/png'), 'public, max-age=2592000')
  t.equal(policyOf('IMAGE/Png; x=y'), 'public, max-age=2592000')
  t.equal(policyOf('image/webp'), 'public, max-age=3600')
  t.equal(policyOf('text/html; charset=utf-8'), 'no-store')
  t.equal(policyOf('application/json'), 'no-cache')
  t.equal(policyOf(''), 'no-cache')
  t.equal(policyOf('__proto__'), 'no-cache')
  t.equal(cachePolicy({ default: 'no-cache', types: { '*/*': '1m' } })('a/b'), 'public, max-age=60')
})

t.test('a type is worked out once, and those beyond the first thousand each time', async t => {
  const policyOf = cachePolicy({ default: '1m', types: { 'x/7': '1h' } })
  for (let round = 0; round < 2; round++) {
    const values = Array.from({ length: 1100 }, (_, place) => policyOf(`x/${place}`))
    t.equal(values[7], 'public, max-age=3600')
    t.equal(values.filter(value => value === 'public, max-age=60').length, 1099)
  }
})

t.test('a rule that is none is told when the policy is made', async t => {
  t.throws(() => cachePolicy({ default: '1m', types: { 'a/b': 'never' } }), { message: /received never/ })
})
