import t from 'tap'
import { isReading, requirementFor } from '../../../lib/access/requirement.ts'

t.test('three methods only read', t => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) t.ok(isReading(method), method)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'QUERY', 'PROPFIND', 'WEBSOCKET', 'get', '']) t.notOk(isReading(method), method)
  t.end()
})

t.test('without a rule of its own a method has that of reading, or of the rest', t => {
  const access = { read: 'here', write: ['staff'], methods: { DELETE: 'nobody', HEAD: 'public', WEBSOCKET: ['sockets'] } }
  const rules = Object.fromEntries(['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'WEBSOCKET', 'TRACE'].map(method => [method, requirementFor(access, method)]))
  t.same(rules, { GET: 'here', HEAD: 'public', OPTIONS: 'here', POST: ['staff'], DELETE: 'nobody', WEBSOCKET: ['sockets'], TRACE: ['staff'] })
  t.same([requirementFor({}, 'GET'), requirementFor({}, 'POST')], ['public', 'nobody'], 'who may not be named may read alone')
  t.end()
})

t.test('where only reading does anything, the rest needs what reading needs', t => {
  const access = { read: 'here', write: 'nobody', methods: { DELETE: 'nobody', GET: ['staff'], WEBSOCKET: 'nobody' } }
  const rules = Object.fromEntries(['GET', 'HEAD', 'POST', 'DELETE', 'WEBSOCKET'].map(method => [method, requirementFor(access, method, true)]))
  t.same(rules, { GET: ['staff'], HEAD: 'here', POST: 'here', DELETE: 'here', WEBSOCKET: 'here' })
  t.end()
})

t.test('a method that is called as something that every object has is one like any other', t => {
  for (const method of ['constructor', '__proto__', 'toString']) t.equal(requirementFor({ methods: { GET: 'public' } }, method), 'nobody', method)
  t.end()
})
