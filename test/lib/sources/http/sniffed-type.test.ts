import t from 'tap'
import { sniffedType, typeMatcher } from '../../../../lib/sources/http/sniffed-type.ts'

const of = (beginning: string | Buffer, told?: string): string => sniffedType(typeof beginning === 'string' ? Buffer.from(beginning, 'latin1') : beginning, told)

t.test('bytes decide, whatever a server says', t => {
  const cases: Array<[string, string]> = [
    ['\xff\xd8\xff\xe0\0\x10JFIF', 'image/jpeg'],
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['GIF89a', 'image/gif'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
    ['RIFF\0\0\0\0WAVEfmt ', 'audio/wav'],
    ['\0\0\0\x18ftypavif\0\0\0\0mif1', 'image/avif'],
    ['\0\0\0\x18ftypisom\0\0\0\0', 'video/mp4'],
    ['\0\0\0\x18ftypM4A \0\0\0\0', 'audio/mp4'],
    ['%PDF-1.7\n', 'application/pdf'],
    ['PK\x03\x04....', 'application/zip'],
    ['\x1f\x8b\x08\0', 'application/gzip'],
    ['BM......', 'image/bmp'],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    ['<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    ['<?xml version="1.0"?><rss/>', 'application/xml'],
    ['<!doctype html><title>x', 'text/html; charset=utf-8'],
    ['  \n<script>alert(1)</script>', 'text/html; charset=utf-8'],
    ['<!-- GIF89a --><b onclick=x>', 'text/html; charset=utf-8'],
    ['\xef\xbb\xbf<html>', 'text/html; charset=utf-8'],
    ['\x7fELF\x02\x01\x01\0', 'application/octet-stream'],
    ['MZ\x90\0', 'application/octet-stream']
  ]
  for (const [beginning, type] of cases) for (const told of [undefined, 'image/png', 'text/html', 'application/json']) t.equal(of(beginning, told), type, JSON.stringify(beginning))
  t.end()
})

t.test('of text its server tells the kind, where nothing of that runs', t => {
  for (const told of ['text/css', 'text/vtt', 'text/csv', 'application/json']) t.equal(of('{"a": 1}', `${told}; charset=latin1`), `${told}; charset=utf-8`)
  for (const told of [undefined, 'text/html', 'text/javascript', 'application/javascript', 'text/xml', 'image/png', 'text/x-php', 'nonsense', '']) t.equal(of('alert(1)', told), 'text/plain; charset=utf-8', String(told))
  t.equal(of('', 'text/css'), 'text/css; charset=utf-8')
  t.equal(of(Buffer.from('Grüße 猫').subarray(0, -1), 'text/plain'), 'text/plain; charset=utf-8', 'cut within a letter')
  t.equal(of('a\0b', 'text/plain'), 'application/octet-stream')
  t.equal(of('\xfe\xff\x00', 'text/plain'), 'application/octet-stream')
  t.end()
})

t.test('types are allowed by name or by kind', t => {
  const isAllowed = typeMatcher(['image/*', 'application/pdf'])
  t.strictSame(['image/png', 'image/svg+xml', 'IMAGE/PNG; a=b', 'application/pdf', 'application/zip', 'text/html; charset=utf-8', 'imagex/png', 'image'].filter(isAllowed), ['image/png', 'image/svg+xml', 'IMAGE/PNG; a=b', 'application/pdf', 'image'])
  t.end()
})
