import t from 'tap'
import { humanSize, listingFormat, listingJson, listingPage, type ListingView } from '../../lib/listing.ts'
import type { Entry } from '../../lib/sources/source.ts'

const NOON = Date.UTC(2026, 10, 20, 12, 30, 5)

function view (entries: Entry[], rest: Partial<ListingView> = {}): ListingView {
  return { path: '/', depth: 0, listing: { entries, truncated: false }, assets: '_media/listing/', url: 'http://localhost:3000/', ...rest }
}

const file = (name: string, rest: Partial<Entry> = {}): Entry => ({ name, kind: 'file', size: 10, lastModified: NOON, ...rest })
const folder = (name: string): Entry => ({ name, kind: 'directory', lastModified: NOON })

/** What a pattern's groups hold, wherever it matches. */
const groups = (page: string, pattern: RegExp): string[][] => [...page.matchAll(pattern)].map(match => match.slice(1))

/** What stands in every attribute of one name. */
const attributes = (page: string, name: string): string[] => groups(page, new RegExp(` ${name}="([^"]*)"`, 'g')).flat()

const viewOf = (...entries: Entry[]): string | undefined => attributes(listingPage(view(entries)), 'data-view')[0]

t.test('a client gets HTML unless it wants JSON more', t => {
  const wishes: Array<[accept: string | undefined, format: 'html' | 'json']> = [
    [undefined, 'html'],
    ['', 'html'],
    ['*/*', 'html'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'html'],
    ['application/json', 'json'],
    ['Application/JSON', 'json'],
    ['application/json, text/plain, */*', 'json'],
    ['application/json;q=0.5, text/html', 'html'],
    ['application/json;q=0.5, text/html;q=0.4', 'json'],
    ['application/json, text/html', 'html'],
    ['application/json;q=0', 'html'],
    ['application/json;q=x', 'html']
  ]
  for (const [accept, format] of wishes) t.equal(listingFormat(accept), format, String(accept))
  t.end()
})

t.test('the JSON form tells kind, URL, type, size and time of every member, in the order of the source', t => {
  const listing = listingJson(view([file('b.jpg'), folder('a b'), file('noidea', { size: 0 }), { name: 'bare', kind: 'file' }], { path: '/x/', url: 'https://example.com/x/' }))
  t.same(listing, {
    path: '/x/',
    url: 'https://example.com/x/',
    truncated: false,
    entries: [
      { name: 'b.jpg', kind: 'file', url: 'https://example.com/x/b.jpg', type: 'image/jpeg', size: 10, lastModified: '2026-11-20T12:30:05.000Z' },
      { name: 'a b', kind: 'directory', url: 'https://example.com/x/a%20b/', lastModified: '2026-11-20T12:30:05.000Z' },
      { name: 'noidea', kind: 'file', url: 'https://example.com/x/noidea', type: 'application/octet-stream', size: 0, lastModified: '2026-11-20T12:30:05.000Z' },
      { name: 'bare', kind: 'file', url: 'https://example.com/x/bare', type: 'application/octet-stream' }
    ]
  })
  t.equal(listingJson(view([], { listing: { entries: [], truncated: true } })).truncated, true)
  t.end()
})

t.test('folders come first, and names are ordered as people count', t => {
  const page = listingPage(view([file('10.txt'), file('2.txt'), file('Z.txt'), file('a.txt'), folder('zoo'), folder('attic')]))
  t.same(attributes(page, 'href').filter(href => href.startsWith('./')), ['./attic/', './zoo/', './2.txt', './10.txt', './a.txt', './Z.txt'])
  t.match(page, '<p>2 folders · 4 files · 40 B</p>')
  t.match(page, '<bdi>attic</bdi>/')
  t.end()
})

t.test('no name becomes markup, a script or another address', t => {
  const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>.png', '\' onfocus=\'alert(1)', 'a&amp;b.txt', '100%.txt', '%2e%2e', 'a#b?c=d.jpg', 'javascript:alert(1)', '//evil.example', '..\\up', 'ünï ☃ 日本語 🦊.txt', '${name}`', ' ', '$&$1']
  const page = listingPage(view([...names.map(name => file(name)), folder('<b>"\'')], { path: '/<i>"/', url: 'http://"><u>/x/' }))
  const allowed = new Set(['html', 'head', 'meta', 'title', 'link', 'script', 'body', 'header', 'div', 'h1', 'bdi', 'p', 'main', 'table', 'caption', 'thead', 'tr', 'th', 'tbody', 'a', 'span', 'img', 'td', 'data', 'time', '!doctype'])
  for (const tag of groups(page, /<([!a-z][a-z0-9]*)/gi).flat()) t.ok(allowed.has(tag), tag)
  t.equal(page.match(/<script/g)?.length, 2)
  t.notMatch(page, /<[^>]* on[a-z]+=/i)
  t.notMatch(page, / style=|<style|javascript:[^&<]*"/i)
  const hrefs = attributes(page, 'href').filter(href => href.startsWith('.'))
  for (const name of names) t.ok(hrefs.includes(`./${encodeURIComponent(name).replaceAll('\'', '&#39;')}`), name)
  for (const href of hrefs) {
    const { origin, pathname, search, hash } = new URL(href.replaceAll('&#39;', '\''), 'http://localhost:3000/x/')
    t.same([origin, pathname.startsWith('/x/'), search, hash], ['http://localhost:3000', true, '', ''], href)
  }
  t.match(page, '<bdi>&#60;script&#62;alert(1)&#60;/script&#62;</bdi>')
  t.match(page, '<bdi>a&#38;amp;b.txt</bdi>')
  t.match(page, '<bdi>$&#38;$1</bdi>')
  t.match(page, '<title>/&#60;i&#62;&#34;/</title>')
  t.end()
})

t.test('letters that would turn a name round are shown as strangers', t => {
  const page = listingPage(view([file('photo\u202egnp.exe'), file('two\nlines\u0007')], { depth: 2, path: '/\u2066a/b\u2069/' }))
  t.match(page, '<bdi>photo\ufffdgnp.exe</bdi>')
  t.match(page, '<bdi>two\ufffdlines\ufffd</bdi>')
  t.match(page, '<bdi>\ufffda</bdi>')
  t.match(page, '<h1><bdi>b\ufffd</bdi></h1>')
  t.match(page, 'href="./photo%E2%80%AEgnp.exe"')
  t.end()
})

t.test('the page keeps to its content security policy: nothing inline, nothing from elsewhere', t => {
  const page = listingPage(view([file('a.svg'), file('b.mp4'), folder('c')], { assets: '../../_media/listing/' }))
  t.match(page, /^<!doctype html>\n<html lang="en"/)
  t.notMatch(page, /<script(?! src=)| style=|data:|https?:/)
  const fetched = [...attributes(page, 'src'), ...attributes(page, 'href')]
  for (const address of fetched) t.ok(address.startsWith('./') || address.startsWith('../../_media/listing/'), address)
  t.ok(fetched.includes('../../_media/listing/listing.css'))
  t.ok(fetched.includes('../../_media/listing/listing.js'))
  t.end()
})

t.test('pictures that browsers show are their own thumbnails, unless they are large', t => {
  const page = listingPage(view([file('a.png'), file('b.AVIF'), file('c.heic'), file('d.jpg', { size: 9 * 1024 * 1024 }), { name: 'e.gif', kind: 'file' }]))
  t.same(attributes(page, 'src').filter(src => src.startsWith('./')), ['./a.png', './b.AVIF', './e.gif'])
  t.equal(page.match(/alt="" loading="lazy" decoding="async"/g)?.length, 3)
  t.same(attributes(page, 'data-preview'), ['image', 'image', 'image', 'image'])
  t.match(page, /href="\.\/c\.heic"><span class="icon image"><\/span>/)
  t.end()
})

t.test('every kind of file has its icon, and what plays has a preview', t => {
  const kinds = { 'a.mp4': 'video', 'a.mkv': 'video', 'a.m3u8': 'video', 'a.mp3': 'audio', 'a.woff2': 'font', 'a.zip': 'archive', 'a.tar': 'archive', 'a.pdf': 'document', 'a.docx': 'document', 'a.html': 'code', 'a.json': 'code', 'a.css': 'code', 'a.txt': 'text', 'a.bin': 'file', 'a': 'file', 'a.tiff': 'image' }
  for (const [name, icon] of Object.entries(kinds)) t.match(listingPage(view([file(name)])), `<span class="icon ${icon}">`, name)
  t.match(listingPage(view([folder('a.mp4')])), '<span class="icon folder">')
  t.same(attributes(listingPage(view([file('a.mp4'), file('b.mkv'), file('c.wav'), file('d.mid')])), 'data-preview'), ['video', 'audio'])
  t.end()
})

t.test('a directory of pictures opens as cards, any other as a table', t => {
  t.equal(viewOf(file('a.png'), file('b.txt')), 'grid')
  t.equal(viewOf(file('a.png'), file('b.txt'), file('c.txt')), 'table')
  t.equal(viewOf(folder('a')), 'table')
  t.equal(viewOf(), 'table')
  t.end()
})

t.test('breadcrumbs go up to the top of the mount and no further', t => {
  const crumbs = (rest: Partial<ListingView>): string[][] => groups(listingPage(view([], rest)), /<li><a href="([^"]*)"><bdi>([^<]*)/g)
  const title = (rest: Partial<ListingView>): string | undefined => /<h1><bdi>([^<]*)/.exec(listingPage(view([], rest)))?.[1]
  t.same(crumbs({}), [])
  t.equal(title({}), 'localhost:3000')
  t.same(crumbs({ path: '/photos/', depth: 0 }), [], 'the top of a mount below a prefix')
  t.equal(title({ path: '/photos/', depth: 0 }), 'photos')
  t.same(crumbs({ path: '/photos/2026/may/', depth: 2 }), [['../../', 'photos'], ['../', '2026']])
  t.same(crumbs({ path: '/2026/may/', depth: 2 }), [['../../', 'localhost:3000'], ['../', '2026']])
  t.equal(title({ url: 'nonsense' }), 'Files')
  t.match(listingPage(view([], { path: '/a/', depth: 1 })), '<a class="glyph up" href="../"')
  t.notMatch(listingPage(view([])), /href="\.\.\/"|<nav/)
  t.end()
})

t.test('sizes come in binary units', t => {
  const sizes: Array<[bytes: number, words: string]> = [
    [0, '0 B'], [1, '1 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [1536, '1.5 KiB'], [10_188, '9.9 KiB'], [10_189, '10 KiB'],
    [1_048_063, '1023 KiB'], [1_048_064, '1.0 MiB'], [5 * 2 ** 20, '5.0 MiB'], [300 * 2 ** 20, '300 MiB'], [2 ** 40, '1.0 TiB'], [2 ** 60, '1024 PiB']
  ]
  for (const [bytes, words] of sizes) t.equal(humanSize(bytes), words)
  t.match(listingPage(view([file('a', { size: 123_456 })])), '<data value="123456" title="123,456 bytes">121 KiB</data>')
  t.match(listingPage(view([file('a', { size: 1 })])), 'title="1 byte"')
  t.match(listingPage(view([{ name: 'a', kind: 'file' }])), '<td class="size"></td><td class="date"></td>')
  t.end()
})

t.test('times are ISO 8601 to people and machines, and impossible ones are left out', t => {
  t.match(listingPage(view([file('a')])), '<time datetime="2026-11-20T12:30:05.000Z">2026-11-20 12:30</time>')
  for (const lastModified of [8.64e15 + 1, Infinity, NaN]) {
    t.match(listingPage(view([file('a', { lastModified })])), '<td class="date"></td>')
    t.notOk('lastModified' in (listingJson(view([file('a', { lastModified })])).entries[0] ?? {}))
  }
  t.end()
})

t.test('an empty directory says so, and a cut one how much is shown', t => {
  const empty = listingPage(view([]))
  t.match(empty, 'This folder is empty.')
  t.notMatch(empty, /<table|Only the first/)
  const cut = listingPage(view([file('a'), file('b')], { listing: { entries: [file('a'), file('b')], truncated: true } }))
  t.match(cut, 'Only the first 2 names of this folder are shown.')
  t.end()
})

t.test('the page is a table with heads, a caption and landmarks', t => {
  const page = listingPage(view([file('a'), folder('b')], { depth: 1, path: '/x/' }))
  for (const part of ['<caption>', '<th scope="col"', '<th scope="row">', '<main>', '<header>', '<nav aria-label="Breadcrumb">', '<h1>', 'name="viewport"', 'aria-sort="ascending"']) t.match(page, part)
  t.end()
})
