import t from 'tap'
import { ArgumentError } from '../../../lib/transform/arguments.ts'
import { cssColours } from '../../../lib/transform/css-colours.ts'
import { parseQuery } from '../../../lib/transform/grammars/query.ts'
import { operationNames, operations, operationsByName, type Operation, type OperationName } from '../../../lib/transform/operations.ts'
import { randomValue, seeded } from '../../helpers/random-transforms.ts'

const argumentOf = (name: OperationName): Operation<unknown>['argument'] => (operations[name] as unknown as Operation<unknown>).argument
const write = (name: OperationName, value: unknown): string => argumentOf(name).write(value)
const read = (name: OperationName, text: string): unknown => argumentOf(name).read(text)

t.test('no name means two operations', async t => {
  const names = operationNames.flatMap(name => [name, ...operations[name].aliases])
  t.equal(new Set(names).size, names.length)
  t.equal(operationsByName.size, names.length)
  t.ok(names.every(name => /^[a-z]+(?:-[a-z]+)*$/.test(name)))
})

t.test('every operation has a doc line, and an example that uses it and holds', async t => {
  for (const name of operationNames) {
    const { doc, example } = operations[name]
    t.match(doc, /^[A-Z`].*[^.]$/, name)
    t.ok(name in parseQuery(example, { unknown: 'refuse', ignored: [] }).values, example)
  }
})

t.test('every value is read from what it is written as, and stays what it is on its grid', async t => {
  const random = seeded(1)
  for (const name of operationNames) {
    const { snap } = argumentOf(name)
    for (let i = 0; i < 50; i++) {
      const value = randomValue(name, random)
      t.strictSame(read(name, write(name, value)), value, name)
      if (snap === undefined) continue
      const snapped = snap(value)
      t.strictSame(read(name, write(name, snapped)), snapped, `${name}: what it is snapped to is a value`)
      t.strictSame(snap(snapped), snapped, `${name} ${String(snapped)}`)
    }
  }
})

t.test('texts that are no value are refused, and told what is expected', async t => {
  const refused: Array<[OperationName, string[]]> = [
    ['w', ['', '0', '0.4', '-5', 'x', '1e3', '0x10', '١٠', '99999', 'Infinity', '+5', ' 5', '1.2.3', '12345678901', '.']],
    ['h', ['NaN', '16385']],
    ['dpr', ['0', '6']],
    ['effort', ['1.5', '7', '-1']],
    ['sharp', ['1,2', '1,2,3,4', ',', '1,,2', '1'.repeat(101)]],
    ['pad', ['1,2', '5000', '1,2,3,x']],
    ['rect', ['1,2,3', '0,0,0,1', '0,0,1,0', '-1,0,5,5', '0,0,1.2,1', '1,2,3,4,5', `0,0,5,${'9'.repeat(100)}`]],
    ['ar', ['16:9:1', '0:1', '1:0', '1000:1', '1:1000', 'wide', '', ':', '101']],
    ['fit', ['', 'covers', '__proto__', 'constructor']],
    ['position', ['', 'up', 'faces,up', 'faces,', 'x'.repeat(200)]],
    ['bg', ['', 'ff', 'fffff', 'gggggg', '__proto__', 'redd', 'rgb(1,2,3)']],
    ['txt', ['', '   ', '\u202eabc', 'a\tb', '\ud800', 'x'.repeat(201)]],
    ['mark', ['', '../logo', 'a b', '1logo', 'x'.repeat(65)]],
    ['q', ['0', '101', 'best', '-', '7.5']],
    ['trim', ['300', 'all']],
    ['lossless', ['2', 'maybe']]
  ]
  for (const [name, texts] of refused) {
    for (const text of texts) t.throws(() => read(name, text), { name: 'ArgumentError', message: /^Expected / }, `${name}=${text}`)
  }
  t.ok(new ArgumentError('x') instanceof Error)
})

t.test('values have many spellings', async t => {
  const same: Array<[OperationName, string[], unknown]> = [
    ['w', ['320', '320.0', '320.4', '319.5'], 320],
    ['bg', ['fff', 'FFFFFF', '#fff', 'ffff', 'ffffffff', 'white', 'White'], 'ffffff'],
    ['bg', ['rebeccapurple', '639'], '663399'],
    ['bg', ['transparent', '0000'], '00000000'],
    ['ar', ['16:9', '16/9', '1.7778', '32:18'], 1.7778],
    ['fit', ['cover', 'crop', 'COVER'], 'cover'],
    ['position', ['top-right', 'northeast', 'right top', 'top,right', 'right,top'], 'top-right'],
    ['position', ['faces', 'faces,edges', 'top,faces', 'smart', 'attention,entropy'], 'attention'],
    ['position', ['left,center', 'left'], 'left'],
    ['lossless', ['', '1', 'true', 'on', 'yes'], true],
    ['lossless', ['0', 'false', 'off', 'no'], false],
    ['pad', ['5', '5,5,5,5'], [5, 5, 5, 5]],
    ['sharp', ['30'], [30]],
    ['rect', ['1.4,2.6,99.5,3', '1,3,100,3'], [1, 3, 100, 3]],
    ['rot', ['-0', '0', '0.00001'], 0],
    ['trim', ['', 'auto', '1'.replace('1', 'true')], 'auto'],
    ['q', ['auto', 'AUTO'], 'auto'],
    ['txt', ['e\u0301', '\u00e9'], '\u00e9'],
    ['txt', ['two\nlines'], 'two\nlines']
  ]
  for (const [name, texts, value] of same) for (const text of texts) t.strictSame(read(name, text), value, `${name}=${text}`)
})

t.test('snapping keeps what people ask for, and is coarse elsewhere', async t => {
  const snaps: Array<[OperationName, string, string]> = [
    ['ar', '16:9', '16:9'], ['ar', '2:3', '2:3'], ['ar', '1.91', '21:11'], ['ar', '0.01', '1:21'], ['ar', '100', '21'],
    ['blur', '1', '1'], ['blur', '0.3', '0.3'], ['blur', '6', '5'], ['radius', '12', '12'], ['radius', '13', '12'], ['sharp', '1,1,2', '1,1,2'], ['sharp', '33', '30'],
    ['rect', '0.25,0.25,0.5,0.5', '0.25,0.25,0.5,0.5'], ['rect', '0.333,0,0.001,1', '0.33,0,0.01,1'], ['rect', '103,0,4,997', '100,0,10,1000'],
    ['bri', '14', '10'], ['px', '2', '4'], ['gamma', '2.2', '2.2'], ['linear', '1.5,-40', '1.5,-40'], ['trim', 'auto', 'auto'], ['q', '77', '77'], ['dpr', '1.2', '1']
  ]
  for (const [name, from, to] of snaps) t.strictSame(argumentOf(name).snap?.(read(name, from)), read(name, to), `${name}=${from}`)
})

t.test('the colours are those of CSS', async t => {
  t.equal(cssColours.size, 149)
  t.ok([...cssColours].every(([name, hex]) => /^[a-z]+$/.test(name) && /^(?:[0-9a-f]{6}|00000000)$/.test(hex)))
})
