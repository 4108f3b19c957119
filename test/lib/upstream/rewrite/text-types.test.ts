import t from 'tap'
import { textKinds } from '../../../../lib/upstream/rewrite/text-types.ts'

t.test('types that are named, and those of a kind', async t => {
  const kindOf = textKinds(['text/*', 'application/json', 'application/vnd.apple.mpegurl', 'image/svg+xml', 'application/dash+xml'])
  const rows: Array<[string, string | undefined]> = [
    ['text/html', 'markup'], ['TEXT/HTML; Charset="UTF-8"', 'markup'], ['text/css', 'markup'], ['text/xml', 'markup'], ['image/svg+xml', 'markup'], ['application/dash+xml', 'markup'],
    ['application/json;charset=utf-8', 'plain'], ['text/javascript', 'plain'], ['text/plain', 'plain'],
    ['application/vnd.apple.mpegurl', 'playlist'], ['application/VND.apple.mpegURL; charset=utf-8', 'playlist'],
    ['application/x-mpegurl', undefined], ['application/octet-stream', undefined], ['video/mp4', undefined], ['', undefined], ['text', undefined], ['xtext/html', undefined], ['application/json-seq', undefined]
  ]
  for (const [type, expected] of rows) t.equal(kindOf(type), expected, type)
})

t.test('every type of playlist is one', async t => {
  const types = ['application/vnd.apple.mpegurl', 'application/x-mpegurl', 'audio/mpegurl', 'audio/x-mpegurl']
  for (const type of types) t.equal(textKinds(types)(type), 'playlist', type)
})

t.test('charsets in which bytes of ASCII may mean something else are left alone', async t => {
  const kindOf = textKinds(['text/html'])
  for (const charset of ['utf-8', 'UTF8', 'us-ascii', 'iso-8859-1', 'ISO-8859-15', 'windows-1252', 'koi8-r', 'euc-jp', 'latin1']) t.equal(kindOf(`text/html; charset=${charset}`), 'markup', charset)
  for (const charset of ['utf-16', 'utf-16le', 'UTF-32', 'utf-7', 'shift_jis', 'gbk', 'big5', 'iso-2022-jp', 'ebcdic', 'x', '', 'utf-8x']) t.equal(kindOf(`text/html; a=b; charset="${charset}"`), undefined, charset)
})
