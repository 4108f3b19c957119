import t from 'tap'
import { formatHttpDate, parseHttpDate, wholeSeconds } from '../../../lib/http/http-date.ts'

const example = Date.UTC(1994, 10, 6, 8, 49, 37)

t.test('all three forms of RFC 9110 §5.6.7 mean the same instant', async t => {
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    t.equal(parseHttpDate(text), example, text)
  }
  t.equal(parseHttpDate('Wed Nov 16 08:49:37 1994'), example + 10 * 86_400_000)
})

t.test('a date is written as an IMF-fixdate', async t => {
  t.equal(formatHttpDate(example), 'Sun, 06 Nov 1994 08:49:37 GMT')
  t.equal(formatHttpDate(0), 'Thu, 01 Jan 1970 00:00:00 GMT')
})

t.test('whatever is written reads back as its whole second', async t => {
  let seed = 1
  const random = (): number => (seed = seed * 48_271 % 2_147_483_647) / 2_147_483_647
  const instants = [0, -0.5, -1, 0.999, 999.999, 951_782_400_000, 4_107_542_399_999, ...Array.from({ length: 500 }, () => (random() - 0.2) * 8e12)]
  t.strictSame(instants.filter(instant => parseHttpDate(formatHttpDate(instant)) !== wholeSeconds(instant)), [])
})

t.test('a two-digit year more than 50 years ahead is in the past', async t => {
  const now = Date.UTC(2026, 5, 15, 12)
  const rows = [
    ['Tuesday, 01-Jan-30 00:00:00 GMT', Date.UTC(2030, 0, 1)],
    ['Friday, 01-Jan-99 00:00:00 GMT', Date.UTC(1999, 0, 1)],
    ['Saturday, 01-Jan-00 00:00:00 GMT', Date.UTC(2000, 0, 1)],
    ['Monday, 15-Jun-76 12:00:00 GMT', Date.UTC(2076, 5, 15, 12)],
    ['Monday, 15-Jun-76 12:00:01 GMT', Date.UTC(1976, 5, 15, 12, 0, 1)],
    ['Thursday, 31-Dec-76 00:00:00 GMT', Date.UTC(1976, 11, 31)]
  ] as const
  for (const [text, instant] of rows) t.equal(parseHttpDate(text, now), instant, text)
})

t.test('a leap second is the second before it', async t => {
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT'), Date.UTC(2016, 11, 31, 23, 59, 59))
})

t.test('leap days exist in leap years alone', async t => {
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT'), Date.UTC(2024, 1, 29))
  t.equal(parseHttpDate('Tue, 29 Feb 2000 00:00:00 GMT'), Date.UTC(2000, 1, 29))
  t.equal(parseHttpDate('Mon, 29 Feb 2100 00:00:00 GMT'), undefined)
  t.equal(parseHttpDate('Wednesday, 29-Feb-23 00:00:00 GMT'), undefined)
})

t.test('years before 100 are those years', async t => {
  t.equal(new Date(parseHttpDate('Mon, 01 Jan 0099 00:00:00 GMT') ?? Number.NaN).getUTCFullYear(), 99)
})

t.test('what is no HTTP date is undefined', async t => {
  const texts = [
    '', '0', '-1', 'now', '784111777', '1994-11-06T08:49:37Z', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 6 Nov 1994 08:49:37 GMT', 'sun, 06 nov 1994 08:49:37 gmt', 'Sun, 06 Foo 1994 08:49:37 GMT', 'Sun, 00 Nov 1994 08:49:37 GMT', 'Sun, 31 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:37 GMT', 'Sun, 06 Nov 1994 08:49:61 GMT', 'Sun, 06 Nov 94 08:49:37 GMT', 'Sun, 06-Nov-94 08:49:37 GMT',
    'Sun Nov 06 08:49:37 94', 'Sun Nov 6 08:49:37 1994', ' Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT\n', 'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT; length=3', 'Sun, \u0660\u0666 Nov 1994 08:49:37 GMT', 'constructor, 06 Nov 1994 08:49:37 GMT'
  ]
  for (const text of texts) t.equal(parseHttpDate(text), undefined, JSON.stringify(text))
})
