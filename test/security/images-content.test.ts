// A file that is one thing to us and another to a browser, and texts of a URL that end in
// headers: Next CVE-2025-55173 (a file of the attacker's choice under a name of his choice),
// and pictures that are pages.
import sharp from 'sharp'
import t from 'tap'
import { ask, raw } from '../helpers/app.ts'
import { jpeg, jpegComment, png, pngChunk, smallPictures } from '../helpers/bombs.ts'
import { askTimed, servedPictures, wrongRefusal } from '../helpers/siege.ts'
import { svg } from '../helpers/svg-bombs.ts'

t.setTimeout(180_000) // long on a machine that others use too

const PAGE = '<html><body><script>alert(document.domain)</script>'
const flat = await sharp({ create: { width: 24, height: 16, channels: 3, background: '#08f' } }).jpeg().toBuffer()

function polyglots (): Record<string, Buffer> {
  return {
    'comment.jpg': Buffer.concat([flat.subarray(0, 2), jpegComment(PAGE), flat.subarray(2)]),
    'comment': jpeg({ width: 16, height: 16, segments: [jpegComment(PAGE)] }),
    'tail.jpg': Buffer.concat([flat, Buffer.from(PAGE)]),
    'archive.jpg': Buffer.concat([flat, Buffer.from('PK\x03\x04')]),
    'text.png': png({ width: 16, height: 16, chunks: [pngChunk('tEXt', Buffer.from(`Comment\0${PAGE}`))] }),
    'exif.png': png({ width: 16, height: 16, chunks: [pngChunk('eXIf', Buffer.concat([Buffer.from('MM\0*\0\0\0\x08\0\0', 'latin1'), Buffer.from(PAGE)]))] }),
    'script.gif': Buffer.concat([Buffer.from('GIF89a'), Buffer.from([1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x21, 0xfe, PAGE.length]), Buffer.from(PAGE), Buffer.from([0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b])])
  }
}

t.test('a picture that is also a page becomes a picture alone, under its own type', async t => {
  const files = polyglots()
  const server = await servedPictures(t, files)
  for (const name of Object.keys(files)) {
    for (const query of ['w=16', 'w=16&f=webp', 'w=16&meta=all', 'w=16&f=jpeg&meta=copyright']) {
      const answer = await ask(server, `/${name}?${query}`)
      t.match(answer, { status: 200, headers: { 'content-type': /^image\/(?:jpeg|png|webp|gif)$/, 'x-content-type-options': 'nosniff' } }, `${name}?${query}`)
      // What is kept on request is metadata as such: still no page, by its type and first bytes.
      if (!query.includes('meta=all')) t.notMatch(answer.body.toString('latin1'), /<script|<html/i, `${name}?${query}`)
    }
    const plain = await ask(server, `/${name}`)
    t.equal(plain.headers['x-content-type-options'], 'nosniff')
  }
})

t.test('the script that begins like a GIF is one to nobody', async t => {
  const server = await servedPictures(t, { 'a.gif': 'GIF89a/*'.padEnd(40, '.') + '*/=1;alert(1)//', 'b.gif': 'GIF89a=1;alert(1)', 'a.js': 'GIF89a=1;alert(1)' })
  for (const path of ['/a.gif?w=16', '/b.gif?w=16', '/_ipx/w_16/a.js']) {
    const answer = await askTimed(server, path)
    t.equal(wrongRefusal(answer, server.root), undefined, `${path} is ${answer.status}`)
  }
})

t.test('what is no picture is refused by every grammar and question, or sent as it is', async t => {
  const server = await servedPictures(t, { 'a.txt': 'words', 'a.html': PAGE, 'a.js': 'alert(1)', 'a.json': '{}', 'a.jpg': PAGE, 'b.jpg': '', 'a.mp4': Buffer.from('\0\0\0\x18ftypisom'), 'a.zip': Buffer.from('PK\x03\x04') })
  for (const name of ['a.txt', 'a.html', 'a.js', 'a.json', 'a.jpg', 'b.jpg', 'a.mp4', 'a.zip']) {
    const plain = await ask(server, `/${name}`)
    t.equal(plain.status, 200, `${name} itself is served`)
    for (const path of [`/_ipx/w_16/${name}`, `/_ipx/f_webp/${name}`]) t.match(await askTimed(server, path), { status: 415, code: 'unsupported-image' }, path)
    for (const path of [`/${name}?w=16`, `/${name}?info`, `/${name}?f=png`]) {
      const answer = await askTimed(server, path)
      if (name.endsWith('.jpg')) t.match(answer, { status: 415, code: 'unsupported-image' }, path)
      // What says by its name that it is no picture has queries of its own.
      else t.match(answer, { status: 200, text: plain.text, headers: { 'content-type': plain.headers['content-type'], 'x-content-type-options': 'nosniff', 'x-cache': undefined } }, path)
    }
  }
  for (const path of ['/none.jpg?w=16', '/none.jpg?info', '/_ipx/w_16/none.jpg', '/none.txt?w=1']) t.match(await askTimed(server, path), { status: 404, code: 'not-found' }, path)
})

const names = [
  'a.png', 'a"b.png', 'a\'b.png', 'a;filename=b.html', 'a\\b.png', 'ä ö.png', '\u202egnp.exe', 'a%0d%0aset-cookie:x=1', 'a\r\nset-cookie: x=1', 'a\0b', 'a/../../b', '../b', '..', '/etc/passwd', 'C:\\x', 'x'.repeat(256), 'x'.repeat(4000), '%', '%zz', '%E0%A4%A', '<script>.png', 'con', '.bashrc', ' ', '.'
]

/** RFC 6266 §4.1: a token or a quoted string, and then the extended form of RFC 8187. */
const DISPOSITION = /^attachment(?:; filename=(?:[\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*"))?(?:; filename\*=UTF-8''[\w!#$&+.^`|~%'()*-]*)?$/i

t.test('no name of a download breaks out of its header, or leads elsewhere', async t => {
  const server = await servedPictures(t, { 'a.jpg': flat, 'a\r\nb.jpg': flat })
  for (const name of names) {
    for (const spelled of new Set([encodeURIComponent(name), name.replaceAll(/[^!-~]|#/g, encodeURIComponent)])) {
      for (const path of [`/a.jpg?w=16&dl=${spelled}`, `/a.jpg?download=${spelled}`, `/_ipx/w_16,dl_${spelled}/a.jpg`]) {
        const text = await raw(server, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
        const [head = ''] = text.split('\r\n\r\n')
        t.match(head, /^HTTP\/1\.1 (?:200|400|404|414|431) /, path.slice(0, 80))
        t.notMatch(head, /^set-cookie/im, path.slice(0, 80))
        const disposition = /^content-disposition: (.*)$/im.exec(head)?.[1]
        if (disposition === undefined) continue
        t.match(disposition, DISPOSITION, `${path.slice(0, 80)}: ${disposition.slice(0, 100)}`)
        const [, extended = ''] = disposition.split("UTF-8''")
        t.notMatch(decodeURIComponent(extended), /[/\p{Cc}\p{Bidi_Control}]/u, `${path.slice(0, 80)}: nothing but a name`)
        t.notMatch(disposition, /[/\p{Cc}]/u, path.slice(0, 80))
        t.match(head, /^content-type: image\/jpeg/im, 'under its own type')
      }
    }
  }
})

t.test('texts of a URL come back in a problem as JSON, and in no header', async t => {
  const server = await servedPictures(t, { 'a.jpg': flat })
  for (const text of ['%0d%0aset-cookie:%20x=1', '"><script>alert(1)</script>', '%00', '%E2%80%AE', 'a'.repeat(3000), '%ff%fe', '\\u0000', '__proto__']) {
    for (const path of [`/a.jpg?w=${text}`, `/a.jpg?${text}=1`, `/a.jpg?preset=${text}`, `/a.jpg?mark=${text}`, `/a.jpg?txt=${text}`, `/a.jpg?f=${text}`, `/a.jpg?bg=${text}`, `/_ipx/${text}/a.jpg`, `/_ipx/w_1/${text}`]) {
      const [head = '', body = ''] = (await raw(server, `GET ${path.replaceAll(/[<> "]/g, encodeURIComponent)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).split('\r\n\r\n')
      t.match(head, /^HTTP\/1\.1 4\d\d /, path.slice(0, 60))
      t.match(head, /^content-type: application\/problem\+json/im)
      t.match(head, /^x-content-type-options: nosniff/im)
      t.notMatch(head, /set-cookie|<script/i)
      t.ok(body.length < 8192, `${path.slice(0, 60)}: ${body.length} bytes`)
      t.doesNotThrow(() => JSON.parse(body) as unknown)
    }
  }
})

t.test('the path of an original in the headers of a variant is written out', async t => {
  const name = 'ü %0d%0a "q",;=.jpg'
  const server = await servedPictures(t, { [name]: flat })
  const text = await raw(server, `GET /${encodeURIComponent(name)}?w=16 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  t.match(text, /^HTTP\/1\.1 200 /)
  for (const field of ['cache-tag', 'surrogate-key']) t.match(new RegExp(`^${field}: ([!-~]*)\\r$`, 'im').exec(text)?.[1], /^\/[\w%.!~*'()-]+$/, field)
})

t.test('?info tells no more than it is meant to', async t => {
  const gps = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#888' } }).withExif({ IFD0: { Artist: '</script><script>alert(1)</script>' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' } }).jpeg().toBuffer()
  const pictures = await smallPictures()
  const server = await servedPictures(t, { 'gps.jpg': gps, 'a.svg': svg('<title>secret</title>'), ...Object.fromEntries(Object.entries(pictures).map(([kind, bytes]) => [`small.${kind}`, bytes])) })
  for (const name of ['gps.jpg', 'a.svg', ...Object.keys(pictures).map(kind => `small.${kind}`)]) {
    const answer = await ask(server, `/${name}?info`)
    t.match(answer, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8', 'x-content-type-options': 'nosniff' } }, name)
    t.notMatch(answer.text, /gps|latitude|longitude/i, name)
    t.notOk(answer.text.includes(server.root), name)
  }
  const shut = await servedPictures(t, { 'gps.jpg': gps }, { images: { info: false } })
  t.match(await askTimed(shut, '/gps.jpg?info'), { status: 403, code: 'forbidden' })
  t.equal((await askTimed(shut, '/_ipx/info/gps.jpg')).status, 403)
})

t.test('where a picture was taken is in no variant either', async t => {
  const gps = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#888' } }).withExif({ IFD0: { Copyright: 'me' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' } }).jpeg().toBuffer()
  const server = await servedPictures(t, { 'gps.jpg': gps })
  for (const query of ['w=16', 'w=16&f=webp', 'w=16&f=png', 'w=16&meta=copyright']) {
    const { exif } = await sharp((await ask(server, `/gps.jpg?${query}`)).body).metadata()
    // The tag of the GPS directory, in either byte order.
    for (const tag of ['88250004', '25880400']) t.notOk(exif?.includes(Buffer.from(tag, 'hex')), query)
  }
})
