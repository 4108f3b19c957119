import t from 'tap'
import { keyedFields, MAX_VARY_NAMES, Normaliser, Selection, united, varyingBy } from '../../../lib/http-cache/selection.ts'
import type { Fields } from '../../../lib/upstream/message.ts'

const normaliser = new Normaliser()

/** A selection made anew, so that nothing is remembered from before. */
function select (fields: Fields, varying: string[] = []): string {
  return new Selection(normaliser, varying).of(name => fields[name])
}
const same = (a: Fields, b: Fields, varying: string[] = []): boolean => select(a, varying) === select(b, varying)

t.test('names in Vary: in one case, once each, in order; a star or too many are none', t => {
  t.same(varyingBy({}), [])
  t.same(varyingBy({ vary: '' }), [])
  t.same(varyingBy({ vary: ['Foo, bar', ' BAR ,,Accept'] }), ['accept', 'bar', 'foo'])
  for (const vary of ['*', '*, *', ', *', 'foo, *', ['foo', '*']]) t.equal(varyingBy({ vary }), undefined, String(vary))
  t.ok(varyingBy({ vary: Array.from({ length: MAX_VARY_NAMES }, (_, n) => `x${n}`).join() }))
  t.equal(varyingBy({ vary: Array.from({ length: MAX_VARY_NAMES + 1 }, (_, n) => `x${n}`).join() }), undefined)
  const names = ['a', 'b']
  t.equal(united(names, ['b']), names)
  t.same(united(names, ['c', 'a']), ['a', 'b', 'c'])
  t.end()
})

t.test('only what Vary names, and what makes URLs, selects', t => {
  t.ok(same({ 'x-other': '1' }, { 'x-other': '2' }))
  t.notOk(same({ foo: '1' }, { foo: '2' }, ['foo']))
  t.notOk(same({ foo: '1' }, {}, ['foo']))
  t.notOk(same({ foo: '' }, {}, ['foo']), 'an empty field is not a missing one')
  for (const name of keyedFields.filter(name => name !== 'forwarded')) {
    t.notOk(same({ [name]: 'evil.example' }, { [name]: 'good.example' }), name)
    t.notOk(same({ [name]: 'evil.example' }, {}), name)
  }
  t.end()
})

t.test('values are the same where they differ in nothing that has a meaning', t => {
  t.ok(same({ foo: '1, 2' }, { foo: ['1', '2'] }, ['foo']))
  t.ok(same({ foo: '1,2' }, { foo: ' 1 ,\t2 ' }, ['foo']))
  t.notOk(same({ foo: 'a' }, { foo: 'A' }, ['foo']))
  t.notOk(same({ foo: '1,2' }, { foo: '2,1' }, ['foo']))
  t.ok(same({ 'accept-encoding': 'gzip, br' }, { 'accept-encoding': 'BR;q=1.0 , gzip' }, ['accept-encoding']))
  t.notOk(same({ 'accept-encoding': 'gzip, br' }, { 'accept-encoding': 'gzip, br;q=0' }, ['accept-encoding']))
  t.ok(same({ 'accept-language': 'en, DE' }, { 'accept-language': 'EN,de' }, ['accept-language']))
  t.notOk(same({ 'accept-language': 'en, de' }, { 'accept-language': 'de, en' }, ['accept-language']), 'to some origins their order means something')
  t.ok(same({ 'accept-language': `en${' '.repeat(600)}, de` }, { 'accept-language': 'en, de' }, ['accept-language']), 'also of a long one')
  t.end()
})

t.test('no value can pretend to be another field', t => {
  t.notOk(same({ foo: '1\nbar 1 2' }, { foo: '1', bar: '2' }, ['foo', 'bar']))
  t.notOk(same({ foo: '1', bar: '23' }, { foo: '12', bar: '3' }, ['foo', 'bar']))
  t.notOk(same({ host: 'a' }, { 'x-host': 'a' }))
  t.ok(same({ host: 'a' }, { host: 'a' }, ['host']), 'a field that counts anyway, named in Vary')
  t.end()
})

t.test('of Forwarded it matters what was asked for, not by whom', t => {
  t.ok(same({ forwarded: 'for=10.0.0.1;host=a.example;proto=https' }, { forwarded: 'for="[::1]:80";host=a.example;proto=https' }))
  t.ok(same({ forwarded: 'for=10.0.0.1, for=10.0.0.2; by=10.0.0.3 ;host=a' }, { forwarded: 'for=10.0.0.9,for=10.0.0.8;by=1;host=a' }))
  t.notOk(same({ forwarded: 'for=10.0.0.1;host=a.example' }, { forwarded: 'for=10.0.0.1;host=evil.example' }))
  t.notOk(same({ forwarded: 'host=a;proto=https' }, { forwarded: 'host="aproto=https"' }))
  t.notOk(same({ forwarded: 'host="for=evil"' }, { forwarded: 'host="for=good"' }))
  t.notOk(same({ forwarded: 'for=1;host=a' }, { forwarded: 'for=1;host=a, for=1;host=evil' }))
  t.end()
})

t.test('who sends the same again is recognised, another is not', t => {
  const selection = new Selection(normaliser, ['foo'])
  const of = (fields: Fields): string => selection.of(name => fields[name])
  const first = of({ foo: '1', host: 'a', forwarded: 'for=1;host=a' })
  t.equal(of({ foo: '1', host: 'a', forwarded: 'for=2;host=a' }), first)
  t.not(of({ foo: '1', host: 'a', forwarded: 'for=2;host=b' }), first)
  t.not(of({ foo: '1', host: 'a' }), first)
  t.not(of({ foo: '1', forwarded: 'for=1;host=a' }), first)
  for (let n = 2; n < 20; n++) t.not(of({ foo: String(n), host: 'a', forwarded: 'for=1;host=a' }), first)
  t.equal(of({ foo: '1', host: 'a', forwarded: 'for=1;host=a' }), first)
  const long = 'x'.repeat(2000)
  t.equal(of({ foo: long }), of({ foo: [long] }), 'what is long is not remembered, nor what came in several lines')
  t.equal(of({ foo: ['1', '2'] }), of({ foo: '1,2' }))
  t.end()
})

t.test('hostile values are read in linear time', t => {
  const start = performance.now()
  for (const text of [' '.repeat(60_000), `a${' '.repeat(60_000)}b`, ','.repeat(60_000), ';'.repeat(60_000), 'for="'.repeat(12_000), ' ;'.repeat(30_000), ';for='.repeat(12_000), '"'.repeat(60_000)]) {
    for (const name of ['forwarded', 'accept', 'accept-encoding', 'foo']) select({ [name]: text }, ['accept', 'accept-encoding', 'foo'])
  }
  t.ok(performance.now() - start < 5000)
  t.end()
})
