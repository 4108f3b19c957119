import t, { type Test } from 'tap'
import { contentRange, MAX_RANGES, parseRange, type ByteRange, type RangeDecision } from '../../../lib/http/range.ts'

const SIZE = 1000

function check (t: Test, rows: Array<[string, RangeDecision | Array<[number, number]>]>, size = SIZE): void {
  for (const [field, expected] of rows) {
    t.strictSame(pairs(parseRange(field, size)), expected, field.slice(0, 80))
  }
}

function pairs (decision: RangeDecision): unknown {
  return Array.isArray(decision) ? decision.map(({ start, end }: ByteRange) => [start, end]) : decision
}

t.test('one range is first to last, first to the end, or so many at the end', async t => {
  check(t, [
    ['bytes=0-0', [[0, 0]]],
    ['bytes=0-499', [[0, 499]]],
    ['bytes=500-', [[500, 999]]],
    ['bytes=999-', [[999, 999]]],
    ['bytes=-1', [[999, 999]]],
    ['bytes=-500', [[500, 999]]],
    ['bytes=000-0009', [[0, 9]]]
  ])
})

t.test('an end beyond the file is the file\'s end', async t => {
  check(t, [
    ['bytes=990-1000', [[990, 999]]],
    ['bytes=0-99999999999999999999', [[0, 999]]],
    [`bytes=0-${'9'.repeat(5000)}`, [[0, 999]]],
    ['bytes=-1000', [[0, 999]]],
    ['bytes=-5000', [[0, 999]]],
    [`bytes=-${'9'.repeat(5000)}`, [[0, 999]]]
  ])
})

t.test('ranges of which none lies within the file are unsatisfiable', async t => {
  check(t, ['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', 'bytes=-000', 'bytes=1000-,2000-,-0', `bytes=${'9'.repeat(5000)}-`].map(field => [field, 'unsatisfiable']))
})

t.test('a range within the file makes the set satisfiable', async t => {
  check(t, [
    ['bytes=1000-, 0-1', [[0, 1]]],
    ['bytes=-0, 5-6, 2000-3000', [[5, 6]]]
  ])
})

t.test('what is malformed is ignored (RFC 9110 §14.2)', async t => {
  const fields = [
    '', 'bytes', 'bytes=', 'bytes=,', 'bytes= , ,', 'bytes=abc', 'bytes=-', 'bytes=0', 'bytes=5-4', 'bytes=0-1-2', 'bytes=--1', 'bytes=+1-2', 'bytes=1.0-2', 'bytes=0x1-2', 'bytes=1e1-20',
    'bytes=0 - 1', 'bytes=0-1;', 'bytes=0-1,x', 'bytes=x,0-1', 'bytes=0-1, bytes=3-4', 'bytes=1000-999', 'bytes:0-1', 'bytes 0-1', '=0-1', '0-1', 'bytes=\u0660-\u0661', 'bytes=0-1\u0000', 'bytes=0-\n1', 'bytes=\n',
    'bytes=00010-9', `bytes=${'9'.repeat(400)}1-${'9'.repeat(400)}0`, `bytes=1${'0'.repeat(400)}-${'9'.repeat(400)}`
  ]
  check(t, fields.map(field => [field, 'whole']))
})

t.test('first and last are compared exactly beyond 2^53', async t => {
  check(t, [
    ['bytes=9007199254740993-9007199254740992', 'whole'],
    ['bytes=9007199254740992-9007199254740993', 'unsatisfiable'],
    ['bytes=9007199254740993-09007199254740993', 'unsatisfiable']
  ])
})

t.test('a unit other than bytes is ignored, and the unit has no case', async t => {
  check(t, [['items=0-1', 'whole'], ['kilobytes=0-1', 'whole'], ['none', 'whole'], ['Bytes=0-1', [[0, 1]]], ['BYTES \t= 0-1', [[0, 1]]]])
})

t.test('an empty file has no ranges, and a suffix of it is the whole', async t => {
  check(t, [['bytes=0-', 'unsatisfiable'], ['bytes=0-0', 'unsatisfiable'], ['bytes=-1', 'whole'], ['bytes=-0', 'unsatisfiable'], ['bytes=-1,0-', 'whole']], 0)
})

t.test('several ranges keep their order, with or without white space and empty members', async t => {
  check(t, [
    ['bytes=0-1,5-6', [[0, 1], [5, 6]]],
    ['bytes= ,5-6 ,\t, 0-1,', [[5, 6], [0, 1]]],
    ['bytes=-1,0-0,500-', [[500, 999], [0, 0]]]
  ])
})

t.test('overlapping ranges become one, in the place of the first named; adjacent ones stay', async t => {
  check(t, [
    ['bytes=0-10,5-15', [[0, 15]]],
    ['bytes=5-15,0-5', [[0, 15]]],
    ['bytes=0-99,20-30', [[0, 99]]],
    ['bytes=0-0,0-0,0-0', [[0, 0]]],
    ['bytes=900-,100-199,-50,150-160,0-10', [[900, 999], [100, 199], [0, 10]]],
    ['bytes=50-60,0-1,55-70', [[50, 70], [0, 1]]],
    ['bytes=0-9,10-19', [[0, 9], [10, 19]]],
    ['bytes=0-10,20-30,5-25', [[0, 30]]]
  ])
})

function apart (count: number): string {
  return `bytes=${Array.from({ length: count }, (_, place) => `${place * 2}-${place * 2}`).join(',')}`
}

t.test('more ranges than the bound are ignored', async t => {
  t.equal(parseRange(apart(MAX_RANGES), SIZE).length, MAX_RANGES)
  t.equal(parseRange(apart(MAX_RANGES + 1), SIZE), 'whole')
  t.equal(parseRange(apart(10_000), SIZE), 'whole')
  t.equal(parseRange(`bytes=${'5000-,'.repeat(MAX_RANGES + 1)}`, SIZE), 'whole')
  t.equal(parseRange('bytes=0-0,2-2,4-4', SIZE, 2), 'whole')
  t.strictSame(pairs(parseRange(`bytes=${','.repeat(10_000)}0-0`, SIZE)), [[0, 0]])
})

t.test('the bytes served are the bytes asked for, each once', async t => {
  let seed = 42
  const random = (below: number): number => (seed = seed * 48_271 % 2_147_483_647) % below
  const wrong: string[] = []
  for (let round = 0; round < 400; round++) {
    const size = 1 + random(60)
    const asked = new Set<number>()
    const specs = Array.from({ length: 1 + random(8) }, () => {
      const [kind, start, length] = [random(4), random(80), random(20)]
      const [first, last] = kind === 0 ? [Math.max(0, size - length), size - 1] : kind === 1 ? [start, size - 1] : [start, Math.min(size - 1, start + length)]
      for (let byte = first; byte <= last; byte++) asked.add(byte)
      return kind === 0 ? `-${length}` : kind === 1 ? `${start}-` : `${start}-${start + length}`
    })
    const field = `bytes=${specs.join(', ')}`
    const decision = parseRange(field, size)
    const served = typeof decision === 'string' ? [] : decision.flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, i) => start + i))
    const right = asked.size === 0 ? decision === 'unsatisfiable' : served.length === asked.size && served.every(byte => asked.has(byte))
    if (!right) wrong.push(`${field} of ${size}`)
  }
  t.strictSame(wrong, [])
})

t.test('a long field is read in linear time', async t => {
  const started = performance.now()
  for (const field of [`bytes${' '.repeat(60_000)}x`, `bytes=${' '.repeat(60_000)}\n`, `bytes=${'1'.repeat(60_000)}-${'1'.repeat(60_000)}`, `bytes=${'0'.repeat(60_000)}x-`, `bytes=${' ,'.repeat(30_000)}x`, `bytes=${'0-0,'.repeat(15_000)}`]) parseRange(field, SIZE)
  t.ok(performance.now() - started < 1000)
})

t.test('Content-Range names the range and the size, or the size alone', async t => {
  t.equal(contentRange(1000, { start: 0, end: 499 }), 'bytes 0-499/1000')
  t.equal(contentRange(1000), 'bytes */1000')
  t.equal(contentRange(0), 'bytes */0')
})
