import t from 'tap'
import { parseWeights, selectCoding } from '../../../lib/http/accept-encoding.ts'

t.test('without the field or without stored codings the bytes go as they are', async t => {
  t.equal(selectCoding(undefined, ['br', 'gzip']), undefined)
  t.equal(selectCoding('br, gzip', []), undefined)
  t.equal(selectCoding('', ['br', 'gzip']), undefined)
})

t.test('the coding of the greatest weight is sent, and ties go to the smallest coding', async t => {
  const rows = [
    ['gzip, deflate, br, zstd', ['br', 'zstd', 'gzip'], 'br'],
    ['gzip, deflate, br, zstd', ['gzip', 'zstd'], 'zstd'],
    ['gzip, deflate, br', ['gzip'], 'gzip'],
    ['gzip;q=1.0, br;q=0.5', ['br', 'gzip'], 'gzip'],
    ['gzip;q=0.001', ['gzip'], 'gzip'],
    ['GZIP', ['gzip'], 'gzip'],
    ['x-gzip', ['gzip'], 'gzip'],
    ['deflate', ['br', 'gzip'], undefined],
    ['gzip;q=0', ['gzip'], undefined],
    ['gzip;q=0.000, br', ['br', 'gzip'], 'br'],
    ['gzip; q=0.5 , br ; q=0.4', ['br', 'gzip'], 'gzip'],
    ['gzip;Q=0', ['gzip'], undefined],
    ['gzip;level=9;q=0.2, br;q=0.1', ['br', 'gzip'], 'gzip'],
    [',, ,gzip,', ['gzip'], 'gzip']
  ] as const
  for (const [field, stored, expected] of rows) t.equal(selectCoding(field, stored), expected, field)
})

t.test('identity wins where it weighs more, also by the asterisk (RFC 9110 §12.5.3)', async t => {
  const rows = [
    ['identity;q=1, br;q=0.5', undefined],
    ['identity;q=0.5, br;q=0.5', 'br'],
    ['identity;q=0, br;q=0.1', 'br'],
    ['identity;q=0', undefined],
    ['*', 'br'],
    ['*;q=0.1', 'br'],
    ['*;q=0', undefined],
    ['*;q=0, br', 'br'],
    ['*, br;q=0', undefined],
    ['*;q=0.5, br;q=0.3', undefined],
    ['*;q=0.5, br;q=0.3, identity;q=0.1', 'br']
  ] as const
  for (const [field, expected] of rows) t.equal(selectCoding(field, ['br']), expected, field)
})

t.test('a weight above one counts as one, and a malformed one means not wanted', async t => {
  for (const [text, weight] of [['1', 1], ['1.000', 1], ['7', 1], ['0.25', 0.25], ['.5', 0.5], ['1.', 1], ['1.2.3', 0], ['abc', 0], ['', 0], ['-1', 0], ['1e-3', 0], ['NaN', 0], ['Infinity', 0]] as const) {
    t.equal(parseWeights(`gzip;q=${text}`).get('gzip'), weight, text)
  }
  t.equal(parseWeights('gzip;qs=0').get('gzip'), 1)
})

t.test('names that objects inherit are names like others', async t => {
  const weights = parseWeights('__proto__, constructor;q=0.5, toString;q=0')
  t.strictSame([...weights], [['__proto__', 1], ['constructor', 0.5], ['tostring', 0]])
  t.equal(selectCoding('__proto__, constructor', ['br', 'gzip']), undefined)
})

t.test('a long field is read in linear time', async t => {
  const started = performance.now()
  for (const field of [','.repeat(60_000), 'a;'.repeat(30_000), `gzip;q=${' '.repeat(60_000)}x`, `gzip;${' '.repeat(60_000)}q`, `gzip;q=${'1'.repeat(60_000)}.`]) parseWeights(field)
  t.ok(performance.now() - started < 500)
})
