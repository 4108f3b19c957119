import t from 'tap'
import { parseDictionary } from '../../../lib/http/structured-dictionary.ts'
import { cpuMs } from '../../helpers/process.ts'

function shown (field: string | string[]): unknown {
  const members = parseDictionary(field)
  return members === undefined ? undefined : [...members].map(([name, item]) => [name, item.kind === 'other' ? 'other' : item.value])
}

t.test('members of every kind are read (RFC 9651 §3.2)', async t => {
  const rows: Array<[string | string[], unknown]> = [
    ['', []],
    ['   ', []],
    ['a=1', [['a', 1]]],
    [' a=1 ,\t b=-22,c=0  ', [['a', 1], ['b', -22], ['c', 0]]],
    ['sha-256=10, sha-512=3, *a_b.c-d*=1', [['sha-256', 10], ['sha-512', 3], ['*a_b.c-d*', 1]]],
    ['a=999999999999999', [['a', 999_999_999_999_999]]],
    ['a=:aGVsbG8=:', [['a', Buffer.from('hello')]]],
    ['a=::', [['a', Buffer.alloc(0)]]],
    ['a, b;x;y=2, c=?0;z="q"', [['a', 'other'], ['b', 'other'], ['c', 'other']]],
    ['a=1.5, b="x, y=2 \\" \\\\", c=token/x:y, d=@-5, e=%"f%c3%bc", f=()', [['a', 'other'], ['b', 'other'], ['c', 'other'], ['d', 'other'], ['e', 'other'], ['f', 'other']]],
    ['a=( 1 "b, c";p  tok ), b=1;q=5', [['a', 'other'], ['b', 1]]],
    ['a=1, b=2, a=3', [['b', 2], ['a', 3]]],
    [['a=1', 'b=2'], [['a', 1], ['b', 2]]]
  ]
  for (const [field, expected] of rows) t.same(shown(field), expected, JSON.stringify(field))
})

t.test('one mistake, and the field is none', async t => {
  const fields = [
    ',', 'a=1,', 'a=1, ', ',a=1', 'a=1,,b=2', 'a=1 b=2', 'A=1', '1=1', '=1', 'a=', 'a =1', 'a= 1', '\ta=1', 'a=1;', 'a=1;B', 'a=1; =2', 'a=1 ;b',
    'a=1000000000000000', 'a=1.', 'a=1.1234', 'a=--1', 'a=+1', 'a=0x1', 'a=1e1', 'a="x', 'a="\\x"', 'a="\u00e9"', 'a="\n"', 'a=:x', 'a=:x y:', 'a=:_-:', 'a=?2', 'a=(1', 'a=(1,2)', 'a=(1)(2)', 'a=((1))', 'a=@1.5', 'sha-256:10', '\u0661=1', 'a=\u0661'
  ]
  for (const field of fields) t.equal(shown(field), undefined, JSON.stringify(field))
})

t.test('names of objects are names like others', async t => {
  t.same(shown('constructor=1, toString=2'), undefined, 'no capitals')
  t.same(shown('constructor=1, __proto__=2'), undefined, 'no underscore at the beginning')
  t.same(shown('constructor=1'), [['constructor', 1]])
})

t.test('hostile fields take no time', async t => {
  const many = (piece: string): string => piece.repeat(Math.ceil(60_000 / piece.length))
  const hostile = ['a', 'a,', 'a=1,', 'a;', ';a', 'a;a=', ' ', '\t', '=', '"', '\\"', '(', '1 ', 'a  ', ':', '5', '5.', '*', '%"', 'a=(1'].flatMap(piece => ['', 'a=', 'a="', 'a=(', 'a=(1', 'a=:', 'a;', 'a=1;b='].flatMap(head => [`${head}${many(piece)}`, `${head}${many(piece)}!`, `${head}${many(piece)})`]))
  const took = cpuMs(() => { for (const field of hostile) parseDictionary(field) })
  t.ok(took < 15_000, `${Math.round(took)} ms for ${hostile.length} fields of 60 KB`)
})
