import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { checkType, SNIFF_BYTES } from '../../lib/writing/file-type.ts'
import { defaultTypes, head, refused } from '../helpers/upload-types.ts'

/*
 * What is written by one is opened by others, from the origin of the site. A page, a drawing with a
 * script, a program: each may be called something harmless, be told to be something harmless, or look
 * like something harmless for as long as somebody looks.
 */

const check = async (name: string | undefined, content: string | Buffer, types: readonly string[] = defaultTypes, declaredType?: string): Promise<string> =>
  await checkType(head(content), { name, declaredType, isWhole: true, types })

const latin = (text: string): Buffer => Buffer.from(text, 'latin1')
const page = '<html><script>alert(document.domain)</script></html>'
const svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'

t.test('a page is not taken under another name, nor as another type', async t => {
  const pages = [page, `\ufeff${page}`, ` \n\t${page}`, '<!DOCTYPE html>', '<!doctype HTML SYSTEM "about:legacy-compat">', '<ScRiPt>alert(1)</sCrIpT>', '<script/src=x>', '<body onload=x>', '<iframe src=x>', '<!-- --><script>', '<style>', '<title>x', '<a href=x>', '<b>x', '<div>', '<img src=x>', '<table>', '<h1>x', '<br>', '<base href=x>', `${' '.repeat(2000)}${page}`, Buffer.from(`\ufeff${page}`, 'utf16le'), latin(`${page}\xff`), latin(`<html>\0${'\xff'.repeat(20)}`)]
  for (const content of pages) {
    for (const name of ['a.txt', 'a.jpg', 'a.png', 'a.csv', 'a.json', 'a.pdf', 'a.bin', 'a.unheard', 'a', 'a.mp4', undefined]) await refused(t, check(name, content), `${name}: ${content.toString('latin1').slice(0, 30)}`)
    await refused(t, check('a.txt', content, defaultTypes, 'text/plain'), 'as plain text')
  }
  for (const content of [page, '<script>', '<body>', '<svg>']) await refused(t, check('README.md', content), `Markdown: ${content}`)
})

t.test('a drawing, and other XML, is not taken under another name', async t => {
  for (const content of [svg, `<?xml version="1.0"?>${svg}`, `<!-- x -->${svg}`, '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg/>', '<x:svg xmlns:x="http://www.w3.org/2000/svg"/>', Buffer.from(svg, 'utf16le'), Buffer.from(`\ufeff${svg}`, 'utf16le').swap16(), '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script/></html>', '<?xml version="1.0"?><?xml-stylesheet href="x"?><root/>', '<?xml version="1.0"']) {
    for (const name of ['a.jpg', 'a.bin', 'a.pdf', 'a.webp']) await refused(t, check(name, content), `${name}: ${content.toString('latin1').slice(0, 40)}`)
    await refused(t, check('a.svg', content), 'nor under its own, where SVG is not named')
  }
  await refused(t, check('a.xml', svg, ['application/xml']), 'a drawing is no XML in general')
  await refused(t, check('a.svg', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', ['image/svg+xml']), 'nor is a page a drawing')
  await refused(t, check('a.svg', 'text', ['image/svg+xml']), 'nor a text')
})

t.test('scripts and programs are not taken under another name', async t => {
  for (const content of ['#!/bin/sh\nrm -rf /', '#! /usr/bin/perl', '<?php system($_GET[0]);', '<?= 1 ?>', '<? echo 1 ?>', latin('MZ\x90\0'.padEnd(200, '\0')), latin('\x7fELF\x02\x01\x01'.padEnd(100, '\0')), latin('\xca\xfe\xba\xbe\0\0\0\x34'.padEnd(100, '\0')), latin('\xcf\xfa\xed\xfe\x07\0\0\x01'.padEnd(100, '\0')), latin('\0asm\x01\0\0\0'), latin('FWS\x09'.padEnd(60, '\0')), latin('L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F'.padEnd(100, '\0'))]) {
    for (const name of ['a.txt', 'a.jpg', 'a.bin', 'a.unheard', 'a.zip', 'a.pdf', undefined]) await refused(t, check(name, content), `${name}: ${content.toString('latin1').slice(0, 20)}`)
    await refused(t, check('a.bin', content, ['*/*']), 'not where all is allowed')
  }
})

t.test('no type is taken for another one', async t => {
  const picture = sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
  const pictures = { jpg: await picture.jpeg().toBuffer(), png: await picture.png().toBuffer(), gif: await picture.gif().toBuffer(), webp: await picture.webp().toBuffer(), avif: await picture.avif().toBuffer(), tiff: await picture.tiff().toBuffer() }
  for (const [own, bytes] of Object.entries(pictures)) {
    t.match(await check(`a.${own}`, bytes), /^image\//)
    for (const other of [...Object.keys(pictures), 'svg', 'heic', 'bmp', 'ico', 'pdf', 'zip', 'txt', 'mp4', 'json', 'csv', 'woff2'].filter(ending => ending !== own)) await refused(t, check(`a.${other}`, bytes, [...defaultTypes, 'image/svg+xml']), `${own} as ${other}`)
  }
  for (const name of ['a.jpg', 'a.png', 'a.mp4', 'a.mp3', 'a.woff', 'a.tga', 'a.pdf', 'a.zip', 'a.gz', 'a.docx', 'a.txt', 'a.csv']) {
    await refused(t, check(name, Buffer.from('0001020304fffefd', 'hex'), ['*/*']), `unknown bytes as ${name}`)
    if (!/txt|csv/.test(name)) await refused(t, check(name, 'a text', ['*/*']), `a text as ${name}`)
  }
  await refused(t, check('a.jpg', latin('\xff\xd8')), 'two bytes of a JPEG')
  await refused(t, check('a.zip', gzipSync('x')), 'gzip as zip')
  const jar = latin('PK\x03\x04\x14\0\x08\x08\x08\0'.padEnd(26, '\0') + '\x14\0\0\0META-INF/MANIFEST.MF'.padEnd(40, '\0'))
  for (const name of ['a.zip', 'a.docx', 'a.jar', 'a.bin']) await refused(t, check(name, jar, ['*/*']), `an archive of programs as ${name}`)
})

t.test('bytes under a type that says nothing are still what they are', async t => {
  const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } }).png().toBuffer()
  t.equal(await check('a.bin', png), 'application/octet-stream')
  t.equal(await check('a.bin', png, ['application/octet-stream']), 'application/octet-stream', 'nobody shows it as a picture')
  await refused(t, check('a.bin', page, ['application/octet-stream', 'text/*']), 'a page')
})

t.test('a picture with a page or a script in it is refused', async t => {
  const picture = sharp({ create: { width: 40, height: 40, channels: 3, background: 'red' } })
  const [png, jpeg] = [await picture.png().toBuffer(), await picture.jpeg().toBuffer()]
  const comment = (text: string): Buffer => Buffer.concat([jpeg.subarray(0, 2), latin('\xff\xfe'), Buffer.from([(text.length + 2) >> 8, (text.length + 2) & 255]), latin(text), jpeg.subarray(2)])
  const polyglots: Array<[string, Buffer]> = [
    ['a.gif', latin(`GIF89a/*\0\0\0\0\0*/=1;${page}`)],
    ['a.gif', latin('GIF89a=1;alert(1);//')],
    ['a.gif', latin('GIF87a<script>alert(1)</script>')],
    ['a.jpg', comment('<?php system($_GET["c"]); ?>')],
    ['a.jpg', comment('x<ScRiPt >alert(1)</script>')],
    ['a.jpg', comment(`${'x'.repeat(30_000)}<svg onload=alert(1)>`)],
    ['a.jpg', comment('<html>')],
    ['a.png', Buffer.concat([png, latin(page)])],
    ['a.bmp', latin(`BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0${page}`)],
    ['a.ico', latin(`\0\0\x01\0\x01\0\x10\x10\0\0${page}`.padEnd(100, '\0'))],
    ['a.bin', comment('<iframe src=x>')]
  ]
  for (const [name, bytes] of polyglots) await refused(t, check(name, bytes), `${name} ${bytes.toString('latin1').slice(0, 20)}`)
  t.ok(await check('a.jpg', comment('<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>')), 'metadata are XML, and no page')
  t.ok(await check('a.jpg', comment('<p>a<b')), 'nor is every tag one')
})

t.test('what lies behind the first bytes is not seen', async t => {
  const jpeg = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).jpeg().toBuffer()
  const far = Buffer.concat([jpeg, Buffer.alloc(SNIFF_BYTES), latin(page)])
  t.equal(await check('a.jpg', far), 'image/jpeg', 'that is said, and encoding anew takes it off')
})

t.test('an ending before the last one says what a file may be taken for', async t => {
  const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } }).png().toBuffer()
  for (const name of ['a.html.png', 'a.HTM.png', 'a.svg.png', 'a.js.png', 'a.xml.png', 'a.css.x.png', 'a.swf.png', 'a.xhtml.png']) await refused(t, check(name, png), name, 'bad-name')
  await refused(t, check('page.html.gz', gzipSync(page)), 'a compressed page, which would be offered in the place of page.html', 'bad-name')
  await refused(t, check('page.html.br', Buffer.from('0b028068656c6c6f03', 'hex')), 'in another coding', 'bad-name')
  t.equal(await check('a.svg.png', png, ['image/*', 'image/svg+xml']), 'image/png', 'where such files may be written it is allowed')
  for (const name of ['www.example.com.png', 'v1.2.png', 'a.tar.gz.png', 'notes.txt.png']) t.equal(await check(name, png), 'image/png', name)
})

t.test('hostile bytes of every kind are answered, and soon', async t => {
  const bombs = [Buffer.alloc(SNIFF_BYTES, '<!--'), Buffer.alloc(SNIFF_BYTES, '<?xml ?>'), Buffer.alloc(SNIFF_BYTES, ' '), Buffer.alloc(SNIFF_BYTES, '<!DOCTYPE svg ['), Buffer.concat([latin('PK\x03\x04'), Buffer.alloc(SNIFF_BYTES, 'PK\x03\x04')]), Buffer.concat([latin('\x1a\x45\xdf\xa3'), Buffer.alloc(SNIFF_BYTES, 0xff)]), Buffer.concat([latin('ID3\x04\0\0\x7f\x7f\x7f\x7f'), Buffer.alloc(SNIFF_BYTES)]), gzipSync(Buffer.alloc(30_000_000)), latin('\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9'.padEnd(5000, '\0')), latin('RIFF\xff\xff\xff\xffWEBP'), latin('\0\0\0\0ftyp'), Buffer.alloc(SNIFF_BYTES, 'II*\0')]
  for (const bytes of bombs) {
    const outcome = await check('a.jpg', bytes).then(type => type, (error: { code?: string }) => error.code)
    t.equal(outcome, 'unsupported-media-type')
  }
})
