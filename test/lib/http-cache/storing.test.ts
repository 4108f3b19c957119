import t from 'tap'
import { freshnessOf } from '../../../lib/http-cache/freshness.ts'
import { isStorable, storedFields, updatedFields, withheldFields } from '../../../lib/http-cache/storing.ts'
import type { Fields } from '../../../lib/upstream/message.ts'
import { date, NOON } from '../../helpers/http-cache.ts'

function storable (fields: Fields, status = 200, windows = { staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }): boolean {
  const head = { status, fields, askedAt: NOON, receivedAt: NOON, hadCookies: false }
  return isStorable(head, freshnessOf(head, { heuristicSeconds: 3600, ...windows }))
}

t.test('what has a lifetime, or a validator, is kept', t => {
  t.ok(storable({ 'cache-control': 'max-age=1' }))
  t.ok(storable({ etag: '"a"' }))
  t.ok(storable({ 'last-modified': date(0) }))
  t.ok(storable({ 'cache-control': 'no-cache', 'etag': '"a"' }))
  t.notOk(storable({}))
  t.notOk(storable({ 'cache-control': 'max-age=0' }))
  t.notOk(storable({ etag: '"a"' }, 404), 'an error cannot be asked for by its tag')
  t.ok(storable({ 'cache-control': 'max-age=0' }, 200, { staleWhileRevalidateSeconds: 5, staleIfErrorSeconds: 0 }))
  t.ok(storable({ 'cache-control': 'max-age=0' }, 200, { staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 5 }))
  for (const status of [203, 204, 301, 302, 404, 410, 500, 599]) t.ok(storable({ 'cache-control': 'max-age=1' }, status), String(status))
  t.end()
})

t.test('what is one client\'s alone, or part of something, is not', t => {
  for (const directive of ['no-store', 'NO-STORE', 'private', 'private="x-a"', 'x="\\", no-store']) t.notOk(storable({ 'cache-control': `max-age=60, ${directive}` }), directive)
  t.notOk(storable({ 'cache-control': 'max-age=60, public', 'set-cookie': 'a=b' }))
  t.notOk(storable({ 'cache-control': 'max-age=60, public', 'set-cookie': ['a=b', 'c=d'] }))
  t.notOk(storable({ 'cache-control': 'max-age=60', 'set-cookie2': 'a=b' }))
  for (const status of [103, 206, 304, 416]) t.notOk(storable({ 'cache-control': 'max-age=60' }, status), String(status))
  t.end()
})

t.test('must-understand lets a known status be kept in spite of no-store, and no other', t => {
  t.ok(storable({ 'cache-control': 'max-age=60, no-store, must-understand' }))
  t.notOk(storable({ 'cache-control': 'max-age=60, no-store, must-understand' }, 599))
  t.notOk(storable({ 'cache-control': 'max-age=60, must-understand' }, 599))
  t.notOk(storable({ 'cache-control': 'max-age=60, private, must-understand' }))
  t.end()
})

t.test('a targeted field decides alone', t => {
  t.ok(storable({ 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' }))
  t.notOk(storable({ 'cache-control': 'max-age=60', 'cdn-cache-control': 'private' }))
  t.end()
})

t.test('fields that are kept: no age, no trailer, nothing of a connection, nothing that is withheld; a date always', t => {
  const fields: Fields = { 'cache-control': 'max-age=60, no-cache="x-mine"', 'x-mine': '1', 'age': '5', 'trailer': 'x', 'keep-alive': 'timeout=5', 'proxy-authenticate': 'Basic', 'x-a': ['1', '2'] }
  t.same(storedFields({ fields, receivedAt: NOON }), { 'cache-control': 'max-age=60, no-cache="x-mine"', 'x-a': ['1', '2'], 'date': date(0) })
  t.same(withheldFields(fields), { 'x-mine': '1', 'trailer': 'x' })
  t.equal(storedFields({ fields: { date: date(-5) }, receivedAt: NOON }).date, date(-5))
  t.end()
})

t.test('newer fields take the places of stored ones, but for those that are about another body', t => {
  const stored: Fields = { 'x-a': '1', 'x-b': '1', 'content-length': '5', 'content-encoding': 'gzip', 'age': '7', 'date': date(-60) }
  t.same(updatedFields(stored, { 'x-b': '2', 'content-length': '0', 'content-encoding': 'br', 'content-range': 'bytes 0-1/2', 'set-cookie': 'a=b', 'etag': '"n"' }), { 'x-a': '1', 'x-b': '2', 'content-length': '5', 'content-encoding': 'gzip', 'etag': '"n"' })
  t.equal(updatedFields(stored, { date: date(0), age: '3' }).age, '3')
  t.equal(updatedFields(stored, { date: date(0) }).date, date(0))
  t.end()
})
