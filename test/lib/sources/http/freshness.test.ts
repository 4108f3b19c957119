import t from 'tap'
import { freshnessOf, MAX_FRESH_MS } from '../../../../lib/sources/http/freshness.ts'

const now = Date.parse('Fri, 20 Nov 2026 12:00:00 GMT')
const at = (seconds: number): string => new Date(now + seconds * 1000).toUTCString()

t.test('an origin tells how long its answer is good', t => {
  const cases: Array<[Record<string, string | string[]>, number | undefined]> = [
    [{}, undefined],
    [{ 'cache-control': 'max-age=60' }, 60_000],
    [{ 'cache-control': 'public, Max-Age="60"' }, 60_000],
    [{ 'cache-control': 'max-age=10, s-maxage=60' }, 60_000],
    [{ 'cache-control': ['public', 'max-age=7'] }, 7000],
    [{ 'cache-control': 'max-age=7, max-age=70' }, 7000],
    [{ 'cache-control': 'max-age=60', 'age': '50' }, 10_000],
    [{ 'cache-control': 'max-age=60', 'age': '100' }, 0],
    [{ 'cache-control': 'max-age=60', 'age': '-100' }, 60_000],
    [{ 'cache-control': 'max-age=60', 'date': at(-50) }, 10_000],
    [{ 'cache-control': 'max-age=60', 'date': at(-3600), 'age': '1' }, 0],
    [{ 'cache-control': 'max-age=60', 'date': 'yesterday' }, 60_000],
    [{ 'cache-control': 'max-age=60', 'expires': at(1) }, 60_000],
    [{ expires: at(30) }, 30_000],
    [{ expires: at(90), date: at(60) }, 30_000],
    [{ expires: at(-30) }, 0],
    [{ expires: '0' }, 0],
    [{ expires: [at(30), at(60)] }, 0],
    [{ 'cache-control': 'public' }, undefined],
    [{ 'cache-control': 'max-age=31536000, immutable' }, MAX_FRESH_MS],
    [{ 'cache-control': `max-age=${'9'.repeat(400)}` }, MAX_FRESH_MS]
  ]
  for (const [headers, ms] of cases) t.strictSame(freshnessOf(headers, now), { ms, storable: true }, JSON.stringify(headers).slice(0, 90))
  t.end()
})

t.test('what is private, varies by everything, or is malformed is asked for each time', t => {
  const fields = ['private, max-age=60', 'no-cache, max-age=60', 'PRIVATE="set-cookie", max-age=60', 'max-age=soon', 'max-age=-1', 'max-age=1.5', 'max-age', 'max-age="60', 's-maxage=, max-age=60', '(max-age=60)', 'max-age=60 60']
  for (const field of fields) t.strictSame(freshnessOf({ 'cache-control': field }, now), { ms: 0, storable: true }, field)
  t.strictSame(freshnessOf({ 'cache-control': 'max-age=60', 'vary': '*' }, now), { ms: 0, storable: true })
  t.strictSame(freshnessOf({ 'cache-control': 'max-age=60', 'vary': 'Accept-Encoding' }, now), { ms: 60_000, storable: true })
  t.end()
})

t.test('no-store is not remembered', t => {
  for (const field of ['no-store', 'max-age=60, no-store', 'No-Store', 'max-age="60, no-store', '(x), No-Store']) t.strictSame(freshnessOf({ 'cache-control': field }, now), { ms: 0, storable: false }, field)
  t.end()
})

t.test('a field is read in linear time, whatever is in it', t => {
  for (const text of [`a="${'\\'.repeat(200_000)}`, ' '.repeat(200_000), ','.repeat(200_000), 'a='.repeat(100_000)]) {
    const began = performance.now()
    freshnessOf({ 'cache-control': text }, now)
    t.ok(performance.now() - began < 5000)
  }
  t.end()
})
