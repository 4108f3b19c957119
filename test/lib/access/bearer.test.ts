import t from 'tap'
import { bearerOf, MAX_TOKEN_CHARACTERS } from '../../../lib/access/bearer.ts'

/** As Node.js tells it: of several lines the first. */
function bearer (...lines: string[]): ReturnType<typeof bearerOf> {
  const [first] = lines
  return bearerOf({ headers: first === undefined ? {} : { authorization: first }, rawHeaders: ['Host', 'a', 'x-request-idx', 'b', ...lines.flatMap((line, place) => [place === 0 ? 'Authorization' : 'authorizatioN', line])] })
}

t.test('the token comes after the scheme, in any case and with any number of spaces', t => {
  for (const line of ['Bearer a.b-c_d~e+f/g==', 'bearer a.b-c_d~e+f/g==', 'BEARER   a.b-c_d~e+f/g==']) t.same(bearer(line), { kind: 'token', token: 'a.b-c_d~e+f/g==' }, line)
  t.end()
})

t.test('other schemes, and nothing at all, are none', t => {
  for (const lines of [[], [''], ['Basic dXNlcjpwYXNz'], ['Bearerx abc'], ['Digest Bearer abc']]) t.same(bearer(...lines), { kind: 'absent' }, lines.join())
  t.end()
})

t.test('what is no token68 is malformed', t => {
  for (const line of ['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', 'Bearer a, Bearer b', 'Bearer "a"', 'Bearer a=b', 'Bearer =', 'Bearer \u00e4', 'Bearer a\u0000', 'Bearer a ']) t.same(bearer(line), { kind: 'malformed' }, JSON.stringify(line))
  t.end()
})

t.test('two lines are malformed: one reader takes the first, another the last', t => {
  t.same(bearer('Bearer good', 'Bearer bad'), { kind: 'malformed' })
  t.same(bearer('Bearer good', 'Bearer good'), { kind: 'malformed' })
  t.same(bearer('Basic x', 'Bearer good'), { kind: 'malformed' })
  t.end()
})

t.test('a token has an end', t => {
  t.equal(bearer(`Bearer ${'a'.repeat(MAX_TOKEN_CHARACTERS)}`).kind, 'token')
  t.equal(bearer(`Bearer ${'a'.repeat(MAX_TOKEN_CHARACTERS + 1)}`).kind, 'malformed')
  t.equal(bearer(`Basic ${'a'.repeat(MAX_TOKEN_CHARACTERS * 2)}`).kind, 'absent')
  t.end()
})
