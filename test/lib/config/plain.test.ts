import t from 'tap'
import { plainCopy } from '../../../lib/config/plain.ts'

t.test('plain data comes through as a copy, keys without a value left out', t => {
  const input = { a: [1, 'x', true, null, undefined], b: undefined, c: Object.assign(Object.create(null), { d: -0.5 }) }
  const { value, mistakes } = plainCopy(input)
  t.strictSame(value, { a: [1, 'x', true, null, null], c: { d: -0.5 } })
  t.strictSame(mistakes, [])
  t.not(value, input)
  t.equal(plainCopy('text').value, 'text')
  t.equal(plainCopy(undefined).value, undefined)
  t.end()
})

t.test('__proto__ is a key like any other', t => {
  const { value } = plainCopy(JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {}}}'))
  t.strictSame(Object.keys(value as object), ['__proto__', 'constructor'])
  t.equal(Object.getPrototypeOf(value), Object.prototype)
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
  t.end()
})

const Nameless = (() => function () {} as unknown as new () => object)()

t.test('whatever is no data is refused with its path', t => {
  const { value, mistakes } = plainCopy({ a: () => 1, b: [Symbol('x')], c: new Date(0), d: 1n, e: new Nameless() })
  t.strictSame(value, { a: null, b: [null], c: null, d: null, e: null })
  t.strictSame(mistakes, [
    { path: 'a', message: 'Expected plain data but received a function' },
    { path: 'b[0]', message: 'Expected plain data but received a symbol' },
    { path: 'c', message: 'Expected plain data but received an object of the class Date' },
    { path: 'd', message: 'Expected plain data but received a bigint' },
    { path: 'e', message: 'Expected plain data but received an object of a class' }
  ])
  t.end()
})

t.test('something that holds itself, or nests without end, is refused', t => {
  const circle: Record<string, unknown> = { name: 'circle' }
  circle.left = circle
  circle.right = [circle]
  t.strictSame(plainCopy(circle).mistakes, [
    { path: 'left', message: 'Expected plain data but received something that holds itself' },
    { path: 'right[0]', message: 'Expected plain data but received something that holds itself' }
  ])
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown
  t.strictSame(plainCopy(deep).mistakes, [{ path: '[0][0][0]', message: 'Expected plain data but received more than 32 levels' }])
  const shared = { x: 1 }
  t.strictSame(plainCopy([shared, shared]).mistakes, [], 'the same twice is fine')
  t.end()
})
