import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { checkType, extensionOf, SNIFF_BYTES, type TypeClaims } from '../../../lib/writing/file-type.ts'
import { defaultTypes, head, refused } from '../../helpers/upload-types.ts'
import { noPictures, realPath, realPictures } from '../../helpers/pictures.ts'

const check = async (name: string | undefined, content: string | Buffer, claims: Partial<TypeClaims> = {}): Promise<string> =>
  await checkType(head(content), { name, declaredType: undefined, isWhole: true, types: defaultTypes, ...claims })

t.test('texts are of any kind that they may be', async t => {
  for (const [name, content, type] of [
    ['a.txt', 'hello', 'text/plain; charset=utf-8'],
    ['a.txt', '\ufeffhello', 'text/plain; charset=utf-8'],
    ['a.txt', Buffer.from('\ufeffhello', 'utf16le'), 'text/plain; charset=utf-8'],
    ['a.txt', Buffer.from('\ufeffhello', 'utf16le').swap16(), 'text/plain; charset=utf-8'],
    ['a.txt', '\u001b[31mred\u001b[0m\f', 'text/plain; charset=utf-8'],
    ['a.txt', 'BMW, MZ, PK and GIF are letters like any', 'text/plain; charset=utf-8'],
    ['a.txt', '<3 you, <john@example.com> and <foo>', 'text/plain; charset=utf-8'],
    ['a.csv', 'a;b\n1;2\n', 'text/csv; charset=utf-8'],
    ['a.md', '# Title\n<div>', 'text/markdown; charset=utf-8'],
    ['README.md', '<p align="center"><img src="x"></p>', 'text/markdown; charset=utf-8'],
    ['README.md', '<!-- a comment -->\n# Title', 'text/markdown; charset=utf-8'],
    ['a.json', ' \n{"a": 1}', 'application/json; charset=utf-8'],
    ['a.json', '-1', 'application/json; charset=utf-8'],
    ['a.json', 'null', 'application/json; charset=utf-8'],
    ['a.bin', 'text is bytes too', 'application/octet-stream'],
    ['a.unheard', 'text', 'application/octet-stream'],
    ['LICENSE', 'text', 'application/octet-stream']
  ] as const) t.equal(await check(name, content), type, `${name}: ${content.toString('latin1').slice(0, 30)}`)
})

t.test('what is no text is not taken for one', async t => {
  for (const [name, content] of [
    ['a.txt', 'nul\0'],
    ['a.txt', Buffer.from('h\xe9llo', 'latin1')],
    ['a.txt', Buffer.from('fffe00d8', 'hex')],
    ['a.csv', Buffer.from([0x61, 0xc3])],
    ['a.json', 'hello'],
    ['a.json', ''],
    ['a.json', '<a/>'],
    ['a.txt', Buffer.from([0, 1, 2, 3])],
    ['a.json', Buffer.from([0, 1, 2, 3])]
  ] as const) await refused(t, check(name, content), `${name}: ${content.toString('latin1')}`)
})

t.test('a letter that is cut where the look ends is no fault', async t => {
  const text = Buffer.concat([Buffer.alloc(SNIFF_BYTES - 1, 'a'), Buffer.from('éé')])
  t.equal(await check('a.txt', text), 'text/plain; charset=utf-8', 'no more than that is looked at')
  t.equal(await check('a.txt', text.subarray(0, SNIFF_BYTES), { isWhole: false }), 'text/plain; charset=utf-8')
  await refused(t, check('a.txt', text.subarray(0, SNIFF_BYTES)), 'at the end of all it is')
})

t.test('an empty file is text, or nothing in particular', async t => {
  t.equal(await check('a.txt', ''), 'text/plain; charset=utf-8')
  t.equal(await check('a.bin', ''), 'application/octet-stream')
  for (const name of ['a.jpg', 'a.json', 'a.pdf', 'a.zip', 'a.mp4']) await refused(t, check(name, ''), name)
  t.equal(await check(undefined, ''), 'application/octet-stream')
})

t.test('binary files are of the type that their name says', async t => {
  const types = [...defaultTypes, 'application/*']
  for (const [name, content, type] of [
    ['a.pdf', '%PDF-1.7\n', 'application/pdf'],
    ['a.pdf', '%PDF-1.7\n%\xe2\xe3\xcf\xd3', 'application/pdf'],
    ['a.ps', '%!PS-Adobe-3.0', 'application/postscript'],
    ['a.rtf', '{\\rtf1 hello}', 'application/rtf'],
    ['a.gz', gzipSync('hello'), 'application/gzip'],
    ['a.tar.gz', gzipSync('hello'), 'application/gzip'],
    ['a.tgz', gzipSync('hello'), 'application/octet-stream'],
    ['a.zip', 'PK\x03\x04\x0a\0\0\0\0\0'.padEnd(40, '\0'), 'application/zip'],
    ['a.docx', 'PK\x03\x04\x0a\0\0\0\0\0'.padEnd(40, '\0'), 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
    ['a.doc', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'.padEnd(600, '\0'), 'application/msword'],
    ['a.xls', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'.padEnd(600, '\0'), 'application/vnd.ms-excel'],
    ['a.mp4', '\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'video/mp4'],
    ['a.mov', '\0\0\0\x14ftypqt  \0\0\0\0qt  ', 'video/quicktime'],
    ['a.m4a', '\0\0\0\x18ftypM4A \0\0\0\0mp42isom', 'audio/mp4'],
    ['a.m4a', '\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'audio/mp4'],
    ['a.mp3', 'ID3\x03\0\0\0\0\0\x0a'.padEnd(100, '\0'), 'audio/mpeg'],
    ['a.mp3', 'ID3\x03\0\0\0\0\x7f\x7f'.padEnd(60_000, 'cover \xff'), 'audio/mpeg'],
    ['a.mp3', `\xff\xfb\x90\x64${'\0'.repeat(413)}\xff\xfb\x90\x64`, 'audio/mpeg'],
    ['a.wav', 'RIFF\x24\0\0\0WAVEfmt '.padEnd(60, '\0'), 'audio/wav'],
    ['a.flac', 'fLaC\0\0\0\x22'.padEnd(60, '\0'), 'audio/flac'],
    ['a.woff2', 'wOF2\0\x01\0\0'.padEnd(60, '\0'), 'font/woff2'],
    ['a.ico', '\0\0\x01\0\x01\0\x10\x10\0\0'.padEnd(60, '\0'), 'image/vnd.microsoft.icon'],
    ['a.bmp', 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0', 'image/bmp'],
    ['a.bin', Buffer.from('0001020304fffefd', 'hex'), 'application/octet-stream'],
    ['a.iso', Buffer.from('0001020304fffefd', 'hex'), 'application/x-iso9660-image']
  ] as const) t.equal(await check(name, typeof content === 'string' ? Buffer.from(content, 'latin1') : content, { types }), type, name)
})

t.test('types that run are allowed by their name alone', async t => {
  const files = [
    ['a.html', '<!doctype html><p>', 'text/html'],
    ['a.html', '<p>fragment', 'text/html'],
    ['a.html', 'no tag', 'text/html'],
    ['a.html', Buffer.from('<html>\xe9', 'latin1'), 'text/html'],
    ['a.xhtml', '<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y"><!-- c --><html xmlns="http://www.w3.org/1999/xhtml"/>', 'application/xhtml+xml'],
    ['a.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    ['a.svg', '<?xml version="1.0"?><s:svg xmlns:s="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    ['a.xml', '<?xml version="1.0"?><root/>', 'application/xml'],
    ['a.xml', '<root/>', 'text/xml'],
    ['a.rss', '<?xml version="1.0"?><rss/>', 'application/rss+xml'],
    ['a.js', 'alert(1)', 'application/javascript'],
    ['a.js', '#!/usr/bin/env node\nalert(1)', 'text/javascript'],
    ['a.css', 'a { color: red }', 'text/css'],
    ['a.appcache', 'CACHE MANIFEST', 'text/cache-manifest'],
    ['a.sh', '#!/bin/sh\n', 'application/x-sh'],
    ['a.wasm', '\0asm\x01\0\0\0', 'application/wasm'],
    ['a.swf', 'FWS\x09'.padEnd(60, '\0'), 'application/x-shockwave-flash'],
    ['a.mht', 'MIME-Version: 1.0\n', 'message/rfc822'],
    ['a.htc', 'x', 'text/x-component'],
    ['a.exe', 'MZ\x90\0'.padEnd(200, '\0'), 'application/x-msdownload']
  ] as const
  for (const [name, content, type] of files) {
    for (const types of [['*/*'], [`${type.split('/', 1)[0]}/*`], ['application/*', 'text/*', 'image/*', 'message/*'], defaultTypes, []]) {
      await refused(t, check(name, content, { types }), `${name} under ${types.join()}`)
    }
    const served = await check(name, content, { types: [type.toUpperCase()] })
    t.ok(served, `${name} under ${type} exactly`)
  }
})

t.test('a compressed drawing is not looked into, so it is not taken', async t => {
  await refused(t, check('a.svgz', gzipSync('<svg/>'), { types: ['image/svg+xml'] }), 'compressed')
  await refused(t, check('a.svgz', '<svg xmlns="http://www.w3.org/2000/svg"/>', { types: ['image/svg+xml'] }), 'only called so')
})

t.test('what the client says has to go with it', async t => {
  const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } }).png().toBuffer()
  for (const declaredType of [undefined, '', 'image/png', 'IMAGE/PNG; x=y', 'image/x-png', 'application/octet-stream', 'binary/octet-stream', 'application/x-www-form-urlencoded', '*/*']) t.equal(await check('a.png', png, { declaredType }), 'image/png', String(declaredType))
  for (const declaredType of ['image/jpeg', 'text/html', 'text/plain', 'application/json', 'multipart/form-data; boundary=x', 'image/svg+xml', 'nonsense', 'image/*']) await refused(t, check('a.png', png, { declaredType }), declaredType)
  for (const [name, declaredType] of [['a.csv', 'application/vnd.ms-excel'], ['a.csv', 'text/plain'], ['a.md', 'text/plain'], ['a.md', 'text/x-markdown'], ['a.json', 'text/plain'], ['a.geojson', 'application/json'], ['a.unheard', 'text/plain'], ['a.unheard', 'application/x-unheard']] as const) {
    t.ok(await check(name, '1', { declaredType, types: ['*/*'] }), `${name} as ${declaredType}`)
  }
  for (const [name, declaredType] of [['a.txt', 'text/html'], ['a.txt', 'application/vnd.ms-excel'], ['a.csv', 'text/markdown'], ['a.unheard', 'text/html'], ['a.unheard', 'image/png'], ['a.txt', 'x'.repeat(1000)]] as const) await refused(t, check(name, '1', { declaredType, types: ['*/*'] }), `${name} as ${declaredType.slice(0, 20)}`)
  t.ok(await check('a.rss', '<?xml version="1.0"?><rss/>', { declaredType: 'text/xml', types: ['application/rss+xml'] }))
  t.ok(await check('a.docx', Buffer.from('PK\x03\x04\x0a\0\0\0\0\0'.padEnd(40, '\0'), 'latin1'), { declaredType: 'application/zip', types: ['*/*'] }))
})

t.test('a file without a name is what its bytes are; of a text, what the client says', async t => {
  const jpeg = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } }).jpeg().toBuffer()
  t.equal(await check(undefined, jpeg), 'image/jpeg')
  t.equal(await check(undefined, jpeg, { declaredType: 'image/jpeg' }), 'image/jpeg')
  await refused(t, check(undefined, jpeg, { declaredType: 'image/png' }), 'not against its bytes')
  t.equal(await check(undefined, 'a,b', { declaredType: 'text/csv' }), 'text/csv; charset=utf-8')
  t.equal(await check(undefined, 'a,b'), 'text/plain; charset=utf-8')
  t.equal(await check(undefined, Buffer.from([0, 255, 1])), 'application/octet-stream')
  await refused(t, check(undefined, '<html></html>'), 'a page')
  await refused(t, check(undefined, '<html></html>', { declaredType: 'text/plain' }), 'a page that is called a text')
  await refused(t, check(undefined, 'alert(1)', { declaredType: 'text/javascript' }), 'a script')
})

t.test('endings are those of names where they fit, else the usual ones', t => {
  t.equal(extensionOf('image/jpeg', 'CAT.JPEG'), '.jpeg')
  t.equal(extensionOf('image/jpeg', 'cat.png'), '.jpg')
  t.equal(extensionOf('image/jpeg', '../../x.jpg/..'), '.jpg')
  t.equal(extensionOf('image/jpeg'), '.jpg')
  t.equal(extensionOf('text/plain; charset=utf-8'), '.txt')
  t.equal(extensionOf('audio/mpeg'), '.mp3')
  t.equal(extensionOf('application/octet-stream', 'a.tgz'), '.tgz')
  t.equal(extensionOf('application/octet-stream', 'a.tgz\u202e'), '.bin')
  t.equal(extensionOf('application/x-unheard-of'), '')
  t.end()
})

t.test('real pictures are what they are', { skip: noPictures }, async t => {
  for (const { file } of realPictures().filter(({ file: name }) => !/\.(?:svgz|m3u8|mpo|avifs)$/.test(name))) {
    const bytes = readFileSync(realPath(file))
    const types = ['image/*', 'video/*', 'image/svg+xml', 'application/pdf']
    t.match(await check(file, bytes, { types }), /^(?:image|video)\/|pdf$/, file)
    t.ok(await check(file, bytes.subarray(0, SNIFF_BYTES), { types, isWhole: false }))
  }
})
