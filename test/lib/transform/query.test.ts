import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { formatQuery, hasOperation, MAX_QUERY_LENGTH, parseQuery, type QueryPolicy } from '../../../lib/transform/grammars/query.ts'
import type { OperationName } from '../../../lib/transform/operations.ts'
import { canonical } from '../../../lib/transform/transform.ts'
import { cpuClock } from '../../helpers/process.ts'
import { randomValues, seeded } from '../../helpers/random-transforms.ts'

const strict: QueryPolicy = { unknown: 'refuse', ignored: [] }
const parse = (search: string, policy = strict): ReturnType<typeof parseQuery> => parseQuery(search, policy)
const refusal = (search: string, policy = strict): string => {
  try {
    parseQuery(search, policy)
  } catch (error) {
    if (error instanceof MediaError && error.code === 'bad-transform' && error.statusCode === 400) return error.detail ?? ''
    throw error
  }
  return 'accepted'
}

t.test('parameters are read in any order, under any of their names', async t => {
  t.strictSame(parse('w=320&h=200&fit=cover&f=auto&q=75'), { values: { w: 320, h: 200, fit: 'cover', f: 'auto', q: 75 }, info: false })
  t.strictSame(canonical(parse('quality=75&format=auto&fit=crop&height=200&width=320').values), canonical(parse('w=320&h=200&fit=cover&f=auto&q=75').values))
  t.strictSame(parse(''), { values: {}, info: false })
  t.strictSame(parse('&&w=1&'), { values: { w: 1 }, info: false })
  t.strictSame(parse('lossless&greyscale=&invert=0'), { values: { lossless: true, greyscale: true, invert: false }, info: false })
})

t.test('presets, facts and downloads are asked for beside operations', async t => {
  t.strictSame(parse('preset=card&dpr=2'), { values: { dpr: 2 }, info: false, preset: 'card' })
  t.strictSame(parse('p=card'), { values: {}, info: false, preset: 'card' })
  t.strictSame(parse('info'), { values: {}, info: true })
  t.strictSame(parse('info=0'), { values: {}, info: false })
  t.strictSame(parse('download'), { values: {}, info: false, download: '' })
  t.strictSame(parse('dl=my+cat.jpg'), { values: {}, info: false, download: 'my cat.jpg' })
  t.strictSame(parse('dl=..%2F..%5Ccat.jpg'), { values: {}, info: false, download: 'cat.jpg' }, 'never a path')
})

t.test('what imgix writes is understood', async t => {
  t.strictSame(parse('auto=format,compress&w=400&h=300&fit=crop&crop=faces,entropy&dpr=2').values, { w: 400, h: 300, fit: 'cover', position: 'attention', dpr: 2, f: 'auto', q: 'auto' })
  t.strictSame(parse('fm=pjpg').values, { f: 'jpeg', progressive: true })
  for (const search of ['fm=pjpg&progressive=0', 'progressive=0&fm=PJPG']) t.strictSame(canonical(parse(search).values), { f: 'jpeg', progressive: false })
  for (const search of ['auto=format&fm=jpg', 'fm=jpg&auto=format']) t.strictSame(parse(search).values, { f: 'auto' }, 'the format that is named is for those who accept no better one')
  for (const search of ['auto=compress&q=60', 'q=60&auto=compress']) t.strictSame(parse(search).values, { q: 60 })
  t.strictSame(parse('or=6&flip=hv&rect=10,20,300,400&bri=10&sharp=20&px=8&txt=Hi&txt-color=fff&mask=ellipse&corner-radius=5').values, { orient: '6', flip: 'hv', rect: [10, 20, 300, 400], bri: 10, sharp: [20], px: 8, txt: 'Hi', 'txt-color': 'ffffff', mask: 'ellipse', radius: 5 })
})

t.test('what is unknown, repeated or malformed is refused by name, all at once', async t => {
  t.equal(refusal('widht=1'), 'Unknown parameter "widht". Did you mean width?')
  t.equal(refusal('utm_source=x'), 'Unknown parameter "utm_source"')
  t.equal(refusal('w=1&w=1'), 'Parameter w is repeated')
  t.equal(refusal('w=1&width=2'), 'Parameter w is repeated, as w and width')
  t.equal(refusal('width=2&w=1'), 'Parameter w is repeated, as width and w')
  t.equal(refusal('auto=format&auto=compress'), 'Parameter auto is repeated')
  t.equal(refusal('w='), 'w: Expected a number from 1 to 16384 (pixels), received ""')
  t.equal(refusal('xx=1&h=zero&w=1&w=2'), 'Unknown parameter "xx"; Parameter w is repeated; h: Expected a number from 1 to 16384 (pixels), received "zero"')
  t.match(refusal('auto=enhance'), /^auto: Expected one of format, compress/)
  t.match(refusal('info=perhaps'), /^info: Expected 1 or 0/)
  t.match(refusal('preset=a/b'), /^preset: Expected the name of a preset, received "a\/b"/)
  t.match(refusal(`download=${'x'.repeat(256)}`), /^download: Expected a name to save under/)
  t.match(refusal('dl=a%0d%0ab'), /^dl: Expected a name to save under, received "a\\r\\nb"/)
  t.match(refusal('%zz=1'), /^"%zz=1" is not percent-encoded UTF-8 without NUL/)
  t.match(refusal(Array.from({ length: 20 }, (_, i) => `nothing${i}`).join('&')), /; and 12 more$/)
})

t.test('malformed percent-encoding, overlong UTF-8 and NUL are refused', async t => {
  for (const text of ['%', '%e', '%e0%a4%a', '%c0%af', '%ff', '%00', 'a%00b', '\0']) {
    t.match(refusal(`txt=${text}`), /is not percent-encoded UTF-8 without NUL/, text)
    t.match(refusal(`${text}=1`), /is not percent-encoded UTF-8 without NUL/, text)
  }
})

t.test('names of prototypes are unknown parameters', async t => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__[w]']) t.match(refusal(`${name}=1`), /^Unknown parameter/, name)
  for (const name of ['f', 'fit', 'bg', 'position', 'cs']) for (const word of ['__proto__', 'constructor', 'toString']) t.match(refusal(`${name}=${word}`), /Expected/)
})

t.test('parameters of others are passed over where the configuration says so', async t => {
  t.strictSame(parse('utm_source=x&utm_medium=%zz&v=5&w=1', { unknown: 'refuse', ignored: ['utm_*', 'v'] }).values, { w: 1 })
  t.equal(refusal('vv=5', { unknown: 'refuse', ignored: ['utm_*', 'v'] }).startsWith('Unknown'), true)
  t.strictSame(parse('utm_source=x&%zz=1&fbclid=1&w=1', { unknown: 'ignore', ignored: [] }).values, { w: 1 })
  t.match(refusal('w=x&other=1', { unknown: 'ignore', ignored: [] }), /^w: Expected/, 'what is known has to be right all the same')
})

t.test('whether a query asks for a variant is told by its names alone', async t => {
  for (const search of ['w=1', 'a=b&width=', 'preset=x', 'p=', 'info', 'v=1&auto=format', '%77=320', 'f', 'utm_x=1&&q=5']) t.equal(hasOperation(search), true, search)
  for (const search of ['', 'v=1', 'download', 'dl=w', 'utm_source=w', 'x=w=1', '%zz=1', '=w', 'W=1', '__proto__=1']) t.equal(hasOperation(search), false, search)
})

t.test('the canonical spelling has the order of the table, and reads as it was meant', async t => {
  t.equal(formatQuery(parse('q=5&txt=a%26b+c,d%27&rect=1,2,30,40&width=3&download=x%20y.jpg&preset=card&info&ar=2')), 'rect=1,2,30,40&w=3&ar=2&txt=a%26b%20c,d%27&q=5&preset=card&info=1&download=x%20y.jpg')
  t.equal(formatQuery(parse('')), '')
})

t.test('written and read again it is the same, three thousand times', async t => {
  const random = seeded(10)
  for (let i = 0; i < 3000; i++) {
    const asked = { values: randomValues(random), info: random() < 0.1, ...random() < 0.2 ? { preset: 'card_2' } : {}, ...random() < 0.2 ? { download: 'a &b=%.jpg' } : {} }
    const search = formatQuery(asked)
    const again = parse(search)
    if (again.info !== asked.info || again.preset !== asked.preset || again.download !== asked.download) t.fail(`beside: ${search}`)
    if (!Object.entries(asked.values).every(([name, value]) => String(again.values[name as OperationName]) === String(value))) t.fail(`values: ${search}`)
    if (formatQuery(again) !== search) t.fail(`not canonical: ${search}`)
    const shuffled = search.split('&').map(part => [random(), part] as const).toSorted((a, b) => a[0] - b[0]).map(([, part]) => part).join('&')
    if (formatQuery(parse(shuffled)) !== search) t.fail(`order matters: ${shuffled}`)
    if (hasOperation(search) !== (search !== '' && !/^download=[^&]*$/.test(search))) t.fail(`has operation: ${search}`)
  }
  t.pass()
})

t.test('whatever is sent is read or refused as 400, never anything else', async t => {
  const random = seeded(11)
  const bits = ['w', 'h', '=', '&', '%', '%00', '%c3%a9', '+', ',', ':', '-', '.', '1', '999999999999', 'f', 'auto', 'txt', '\u0000', '\ud800', '😀', '__proto__', 'rect', '/', '\\', '%25', 'q', '#', '?', 'trim', ';', '[]', ' ']
  let read = 0
  for (let i = 0; i < 20_000; i++) {
    const search = (random() < 0.3 ? 'txt=' : '') + Array.from({ length: 1 + Math.floor(random() * 10) }, () => random() < 0.2 ? String.fromCharCode(Math.floor(random() * 0x250)) : bits[Math.floor(random() * bits.length)]).join('')
    hasOperation(search)
    if (refusal(search) === 'accepted') read++
  }
  t.ok(read > 100 && read < 19_000, `${read} were read`)
})

t.test('a hostile query takes time in proportion to its length', async t => {
  t.match(refusal('w'.repeat(MAX_QUERY_LENGTH + 1)), /^The query has 4097 characters, more than 4096$/)
  const took = cpuClock()
  for (const unit of ['a&', '&', '=', 'w=1&', '%', 'utm_&', 'ar=1:', '1,', 'x'.repeat(31) + '&']) {
    const search = unit.repeat(Math.floor(MAX_QUERY_LENGTH / unit.length))
    refusal(search, { unknown: 'refuse', ignored: ['utm_*'] })
    for (const name of ['txt', 'rect', 'ar', 'position', 'bg', 'w']) refusal(`${name}=${unit.repeat(Math.floor(4000 / unit.length)).replaceAll('&', '')}`)
    for (let i = 0; i < 5; i++) hasOperation(unit.repeat(8000))
  }
  t.ok(took() < 5000, `${Math.round(took())} ms of processor time`)
})
