import t from 'tap'
import { freshnessOf, type FreshnessPolicy } from '../../../lib/http-cache/freshness.ts'
import type { Fields } from '../../../lib/upstream/message.ts'
import { date, NOON } from '../../helpers/http-cache.ts'

const policy: FreshnessPolicy = { heuristicSeconds: 3600, staleWhileRevalidateSeconds: 7, staleIfErrorSeconds: 70 }

/** Seconds: the age at receipt, what is left of the lifetime, and of both windows behind it; false where nothing stale is sent at all. */
function reckon (fields: Fields, more: { status?: number, delay?: number, hadCookies?: boolean } = {}): { age: number, left: number, swr: number, sie: number, stale: boolean } {
  const freshness = freshnessOf({ status: more.status ?? 200, fields, askedAt: NOON - (more.delay ?? 0) * 1000, receivedAt: NOON, hadCookies: more.hadCookies ?? false }, policy)
  const seconds = (until: number): number => until === 0 ? 0 : Math.round((until - NOON) / 1000)
  const left = seconds(freshness.freshUntil)
  const window = (until: number): number => until === 0 ? 0 : seconds(until) - left
  return { age: (NOON - freshness.bornAt) / 1000, left, swr: window(freshness.staleWhileRevalidateUntil), sie: window(freshness.staleIfErrorUntil), stale: freshness.mayBeStale }
}

t.test('the lifetime is that of s-maxage, else of max-age, else of Expires', t => {
  t.equal(reckon({ 'cache-control': 'max-age=60' }).left, 60)
  t.equal(reckon({ 'cache-control': 'max-age=60, s-maxage=10' }).left, 10)
  t.equal(reckon({ 'cache-control': ['max-age=1', 's-maxage=100'], 'expires': date(-10) }).left, 100)
  t.equal(reckon({ 'cache-control': 'max-age=0', 'expires': date(100) }).left, 0)
  t.equal(reckon({ expires: date(100), date: date(0) }).left, 100)
  t.equal(reckon({ expires: date(100) }).left, 100, 'without Date by our clock')
  t.equal(reckon({ expires: date(100), date: 'nonsense' }).left, 100)
  t.equal(reckon({}).left, 0)
  t.end()
})

t.test('what is invalid, or said twice in different words, is stale', t => {
  t.ok(reckon({ expires: '0', date: date(0) }).left <= 0)
  t.ok(reckon({ expires: [date(100), date(200)], date: date(0) }).left <= 0)
  t.ok(reckon({ expires: date(300), date: date(400) }).left <= 0, 'older than its own Date')
  t.equal(reckon({ 'cache-control': 'max-age=abc', 'expires': date(1000) }).left, 0)
  t.equal(reckon({ expires: 'THU, 18 AUG 2050 02:01:18 gmt', date: date(0) }).left > 1e8, true, 'names in any letter case')
  t.ok(reckon({ expires: 'Thu, 18 Aug 2050 02:01:18 UTC', date: date(0) }).left <= 0)
  t.end()
})

t.test('the age at receipt: Age, Date, and the time that the answer took', t => {
  t.equal(reckon({ 'cache-control': 'max-age=60', 'age': '20' }).left, 40)
  t.equal(reckon({ 'cache-control': 'max-age=60', 'date': date(-50) }).left, 10, 'apparent age')
  t.equal(reckon({ 'cache-control': 'max-age=60', 'date': date(50) }).left, 60, 'a clock that is fast makes nothing younger than new')
  t.equal(reckon({ 'cache-control': 'max-age=60', 'age': '20' }, { delay: 5 }).age, 25)
  t.equal(reckon({ 'cache-control': 'max-age=60', 'age': '20', 'date': date(-30) }, { delay: 5 }).age, 30, 'the greater of both')
  for (const [field, age] of [['abc', 0], ['-5', 0], ['7.0', 0], ['7;a=b', 0], ['7, 0', 7], ['0, 7', 0], [['7', '0'], 7], ['2147483649', 2_147_483_648], [[], 0]] as const) {
    t.equal(reckon({ age: field as string | string[] }).age, age, String(field))
  }
  t.end()
})

t.test('without a lifetime a tenth of the time since the last change, up to the bound, where that may be guessed', t => {
  const modified = { 'last-modified': date(-1000), 'date': date(0) }
  t.equal(reckon(modified).left, 100)
  t.equal(reckon({ ...modified, 'last-modified': date(-1_000_000) }).left, 3600)
  t.equal(reckon({ 'last-modified': date(100), 'date': date(0) }).left, 0, 'not from the future')
  t.equal(reckon({ 'last-modified': 'yesterday' }).left, 0)
  for (const status of [203, 204, 300, 301, 308, 404, 405, 410, 414, 501]) t.equal(reckon(modified, { status }).left, 100, String(status))
  for (const status of [201, 302, 307, 403, 500, 502, 503, 599]) t.equal(reckon(modified, { status }).left, 0, String(status))
  t.equal(reckon({ ...modified, 'cache-control': 'public' }, { status: 599 }).left, 100)
  t.equal(reckon(modified, { hadCookies: true }).left, 0, 'not for requests with cookies')
  t.equal(reckon({ ...modified, pragma: 'no-cache' }).left, 0)
  t.equal(reckon({ ...modified, 'pragma': 'no-cache', 'cache-control': 'public' }).left, 100, 'Cache-Control stands before Pragma')
  t.equal(reckon({ 'cache-control': 'max-age=60', 'pragma': 'no-cache' }).left, 60)
  t.end()
})

t.test('what may be done with it when it is stale', t => {
  t.match(reckon({ 'cache-control': 'max-age=60' }), { swr: 7, sie: 70, stale: true }, 'as the mount wants it')
  t.match(reckon({ 'cache-control': 'max-age=60, stale-while-revalidate=0, stale-if-error=5' }), { swr: 0, sie: 5, stale: true }, 'as the origin wants it')
  for (const directive of ['must-revalidate', 'proxy-revalidate']) {
    t.match(reckon({ 'cache-control': `max-age=60, ${directive}, stale-while-revalidate=9, stale-if-error=9` }), { left: 60, swr: 0, sie: 0, stale: false }, directive)
  }
  t.match(reckon({ 'cache-control': 's-maxage=60' }), { left: 60, swr: 0, sie: 0, stale: false })
  t.match(reckon({ 'cache-control': 's-maxage=60, stale-while-revalidate=9' }), { left: 60, swr: 9, sie: 0, stale: false }, 'what the origin allows in the same breath')
  t.match(reckon({ 'cache-control': 'no-cache, max-age=60, stale-if-error=9' }), { left: 0, swr: 0, sie: 0, stale: false })
  t.match(reckon({ 'cache-control': 'no-cache="x-a", max-age=60' }), { left: 60 }, 'limited to fields, it limits no more')
  t.end()
})

t.test('CDN-Cache-Control stands in the place of Cache-Control and Expires (RFC 9213)', t => {
  t.equal(reckon({ 'cache-control': 'no-cache', 'cdn-cache-control': 'max-age=60', 'expires': date(5), 'date': date(0) }).left, 60)
  t.equal(reckon({ 'cache-control': 'max-age=100', 'cdn-cache-control': 'max-age=1' }).left, 1)
  t.equal(reckon({ 'cdn-cache-control': 'public', 'expires': date(100), 'date': date(0) }).left, 0)
  t.equal(reckon({ 'cache-control': 'max-age=100', 'cdn-cache-control': 'max-age=1, &&&' }).left, 100, 'not where it is malformed')
  t.end()
})
