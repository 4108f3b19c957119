import t from 'tap'
import { codingOf, essence, isActive, isCompressible, isAssetName, OCTET_STREAM, typeOf } from '../../../lib/http/media-type.ts'

t.test('a name is sent as the type of its ending', async t => {
  const rows = [
    ['a.html', 'text/html; charset=utf-8'], ['A.HTML', 'text/html; charset=utf-8'], ['a.css', 'text/css; charset=utf-8'],
    ['a.js', 'text/javascript; charset=utf-8'], ['a.mjs', 'text/javascript; charset=utf-8'], ['a.cjs', 'text/javascript; charset=utf-8'],
    ['a.json', 'application/json; charset=utf-8'], ['a.webmanifest', 'application/manifest+json; charset=utf-8'], ['a.wasm', 'application/wasm'],
    ['a.svg', 'image/svg+xml'], ['a.svgz', 'image/svg+xml'], ['a.png', 'image/png'], ['a.jpg', 'image/jpeg'], ['a.jpeg', 'image/jpeg'], ['a.jfif', 'image/jpeg'],
    ['a.gif', 'image/gif'], ['a.webp', 'image/webp'], ['a.avif', 'image/avif'], ['a.jxl', 'image/jxl'], ['a.ico', 'image/vnd.microsoft.icon'],
    ['a.mp4', 'video/mp4'], ['a.webm', 'video/webm'], ['a.mov', 'video/quicktime'], ['a.mp3', 'audio/mpeg'], ['a.m4a', 'audio/mp4'], ['a.flac', 'audio/flac'], ['a.wav', 'audio/wav'], ['a.ogg', 'audio/ogg'],
    ['a.m3u8', 'application/vnd.apple.mpegurl'], ['a.vtt', 'text/vtt; charset=utf-8'], ['a.woff2', 'font/woff2'], ['a.pdf', 'application/pdf'],
    ['a.gz', 'application/gzip'], ['a.zst', 'application/zstd'], ['a.tar.gz', 'application/gzip']
  ] as const
  for (const [name, type] of rows) t.equal(typeOf(name), type, name)
})

t.test('an unknown ending is a stream of octets, whatever objects inherit', async t => {
  for (const name of ['', 'README', 'a.', 'a.unknown', '.html', '.htaccess', 'a.__proto__', 'a.constructor', 'a.toString', '__proto__', 'a.html\\b', 'a.b/c', 'a.\u0000']) {
    t.equal(typeOf(name), OCTET_STREAM, JSON.stringify(name))
    t.equal(isAssetName(name), false, JSON.stringify(name))
  }
  t.equal(isAssetName('a.js'), true)
  for (const page of ['jo@example.com', 'a.org', 'lib.rs']) t.equal(isAssetName(page), false, page)
})

t.test('only .svgz implies a coding', async t => {
  t.equal(codingOf('a.svgz'), 'gzip')
  t.equal(codingOf('a.SVGZ'), 'gzip')
  t.equal(codingOf('a.svg'), undefined)
  t.equal(codingOf('a.tar.gz'), undefined)
})

t.test('the essence is the type without parameters, in lower case', async t => {
  t.equal(essence('Text/HTML; charset=utf-8'), 'text/html')
  t.equal(essence('image/png'), 'image/png')
  t.equal(essence(' a/b ;c'), 'a/b')
})

t.test('text-like types are worth compressing, compressed ones are not', async t => {
  for (const type of ['text/html; charset=utf-8', 'Text/CSS', 'text/javascript', 'application/json', 'application/ld+json', 'image/svg+xml', 'application/wasm', 'application/xml', 'font/ttf', 'model/obj', 'application/vnd.apple.mpegurl']) t.equal(isCompressible(type), true, type)
  for (const type of ['image/png', 'image/jpeg', 'video/mp4', 'audio/mpeg', 'font/woff2', 'application/zip', 'application/gzip', 'application/octet-stream', 'xtext/html', '']) t.equal(isCompressible(type), false, type)
})

t.test('every type that a browser may run as a document is active', async t => {
  for (const name of ['a.html', 'a.htm', 'a.shtml', 'a.xhtml', 'a.xht', 'a.svg', 'a.svgz', 'a.xml', 'a.xsl', 'a.xslt', 'a.rss', 'a.atom', 'a.rdf', 'a.mathml', 'a.kml', 'a.pdf', 'a.swf', 'a.mht', 'a.mhtml', 'a.eml']) t.equal(isActive(typeOf(name)), true, `${name} ${typeOf(name)}`)
  for (const type of ['TEXT/HTML', 'text/xml;charset=x', 'text/xsl', 'multipart/related; boundary=x', 'application/vnd.x+XML']) t.equal(isActive(type), true, type)
  for (const name of ['a.png', 'a.txt', 'a.css', 'a.js', 'a.json', 'a.mp4', 'a.zip', 'a']) t.equal(isActive(typeOf(name)), false, name)
})

t.test('long types are told in linear time', async t => {
  const started = performance.now()
  for (const type of [`a/${'+'.repeat(60_000)}`, `${'+xml'.repeat(15_000)}!`, `text/${'a'.repeat(60_000)}\n`]) {
    isCompressible(type)
    isActive(type)
  }
  t.ok(performance.now() - started < 500)
})
