import t, { type Test } from 'tap'
import type { Places } from '../../../../lib/upstream/rewrite/references.ts'
import { replacementsOf } from '../../../../lib/upstream/rewrite/replacement.ts'
import { pathRules, urlRules } from '../../../../lib/upstream/rewrite/url-rules.ts'

interface Case extends Omit<Places, 'origins'> {
  origins: string[]
  markup?: boolean
}

function check (t: Test, { origins, markup = false, ...rest }: Case, rows: Array<[string, string]>): void {
  const places = { ...rest, origins: origins.map(url => new URL(url)) }
  const replacements = replacementsOf([...urlRules(places), ...markup ? pathRules(places) : []])
  for (const [text, expected] of rows) {
    const pieces = replacements.start()
    t.equal(Buffer.concat([...pieces.push(Buffer.from(text)), ...pieces.end()]).toString(), expected, text)
  }
}

const usual: Case = { origins: ['http://origin:8080/base/'], mountPrefix: '/cdn' }
const same = (...texts: string[]): Array<[string, string]> => texts.map(text => [text, text])

t.test('absolute URLs below the base lead to the mount', async t => {
  check(t, usual, [
    ['<a href="http://origin:8080/base/x">', '<a href="/cdn/x">'],
    ['http://origin:8080/base/', '/cdn/'],
    ['"http://origin:8080/base"', '"/cdn"'],
    ['http://origin:8080/base?q#http://origin:8080/base#', '/cdn?q#/cdn#'],
    ['a http://origin:8080/base/a,http://origin:8080/base/b', 'a /cdn/a,/cdn/b']
  ])
})

t.test('names, ports and segments that only begin alike are others', async t => {
  check(t, usual, same('http://origin:80801/base/', 'http://origin:8080/basement', 'http://origin:8080/base.html', 'http://origin:8080/base%20x/', 'http://origin:8080/other', 'https://origin:8080/base/', 'http://origin/base/', 'xorigin:8080/base/', 'http://origin:8080.evil.com/base/'))
  check(t, { origins: ['http://origin'], mountPrefix: '/cdn' }, [
    ...same('http://origin.evil.com/', 'http://origin:8080/', 'http://origin-2/', 'http://originé/', 'http://origin@evil.com/', 'http://origins', '"//origin.evil.com/"', 'http:\\/\\/origin.evil.com\\/', 'http%3A%2F%2Forigin.evil.com%2F', 'http%3A%2F%2Forigin%3A8080%2F'),
    ['http://origin/x', '/cdn/x'],
    ['http://origin:80/x', '/cdn/x'],
    ['"http://origin"', '"/cdn/"'],
    ['http://origin?q', '/cdn/?q'],
    ['http://origin', '/cdn/']
  ])
})

t.test('URLs without a scheme count where one can begin, not within others', async t => {
  check(t, usual, [
    ['<img src="//origin:8080/base/x">', '<img src="/cdn/x">'],
    ['url(//origin:8080/base/x)', 'url(/cdn/x)'],
    ['src=//origin:8080/base/x', 'src=/cdn/x'],
    ['a, //origin:8080/base/x 2x', 'a, /cdn/x 2x'],
    ['//origin:8080/base/x', '/cdn/x'],
    ...same('https://origin:8080/base/x', 'ftp://origin:8080/base/x', 'http://other//origin:8080/base/x', 'http://user@origin:8080/base/x')
  ])
})

t.test('the spellings of JSON, scripts, templates and queries are kept', async t => {
  check(t, usual, [
    ['{"a":"http:\\/\\/origin:8080\\/base\\/x"}', '{"a":"\\/cdn\\/x"}'],
    ['{"a":"\\/\\/origin:8080\\/base\\/x"}', '{"a":"\\/cdn\\/x"}'],
    ['"http:\\u002F\\u002Forigin:8080\\u002Fbase\\u002Fx"', '"\\u002Fcdn\\u002Fx"'],
    ['"http:\\u002f\\u002forigin:8080\\u002fbase\\u002fx"', '"\\u002fcdn\\u002fx"'],
    ['href="http:&#x2F;&#x2F;origin:8080&#x2F;base&#x2F;x"', 'href="&#x2F;cdn&#x2F;x"'],
    ['?u=http%3A%2F%2Forigin%3A8080%2Fbase%2Fx', '?u=%2Fcdn%2Fx'],
    ['?u=http%3a%2f%2forigin%3a8080%2fbase%2fx', '?u=%2fcdn%2fx'],
    ['{"a":"http:\\/\\/origin:8080\\/base"}', '{"a":"\\/cdn"}']
  ])
})

t.test('with the public URL of this server they stay whole', async t => {
  check(t, { ...usual, publicBase: 'https://media.example' }, [
    ['"http://origin:8080/base/x"', '"https://media.example/cdn/x"'],
    ['http:\\/\\/origin:8080\\/base\\/', 'https:\\/\\/media.example\\/cdn\\/'],
    ['http%3A%2F%2Forigin%3A8080%2Fbase%2F', 'https%3A%2F%2Fmedia.example%2Fcdn%2F']
  ])
})

t.test('IPv6, usual ports, several origins', async t => {
  check(t, { origins: ['https://[2001:db8::1]:8443/', 'http://two/', 'https://three/x'], mountPrefix: '/m' }, [
    ['https://[2001:db8::1]:8443/a http://two:80/a https://three:443/x/a //two/a //three:443/x/', '/m/a /m/a /m/a /m/a /m/'],
    ...same('http://three/x/', 'https://two/', 'https://[2001:db8::1]:84431/')
  ])
})

t.test('at the root of the host no path that is put out names another', async t => {
  check(t, { origins: ['http://origin/'], mountPrefix: '', markup: true }, [
    ['"http://origin/x"', '"/x"'],
    ['"http://origin"', '"/"'],
    ['"http://origin//evil.com/x"', '"/.//evil.com/x"'],
    ['"http:\\/\\/origin\\/\\/evil.com"', '"\\/.\\/\\/evil.com"'],
    ...same('href="/x"', 'href="//other/"')
  ])
  check(t, { origins: ['http://origin/base'], mountPrefix: '', markup: true }, [
    ['href="/base//evil.com"', 'href="/.//evil.com"'],
    ['href="/base"', 'href="/"'],
    ['href="/base/x"', 'href="/x"']
  ])
})

t.test('paths count in markup alone, where a quote, ( or = stands before', async t => {
  check(t, usual, same('"/base/x"'))
  check(t, { ...usual, markup: true }, [
    ['<img src="/base/a.jpg" srcset=\'/base/b.jpg 1x, /base/c.jpg 2x,/base/d.jpg 300w, /base/e.jpg 4x\' data-x=/base/f>', '<img src="/cdn/a.jpg" srcset=\'/cdn/b.jpg 1x, /cdn/c.jpg 2x,/cdn/d.jpg 300w, /cdn/e.jpg 4x\' data-x=/cdn/f>'],
    ['url(/base/a) url("/base/b") content="0; url=/base/"', 'url(/cdn/a) url("/cdn/b") content="0; url=/cdn/"'],
    ['data-p="{&quot;a&quot;:&quot;/base/x&quot;}" {"a":"\\/base\\/x"}', 'data-p="{&quot;a&quot;:&quot;/cdn/x&quot;}" {"a":"\\/cdn\\/x"}'],
    ['"/base"', '"/cdn"'],
    ...same('see /base/x', '/a/base/x', '"/basement/"', '"x/base/y"', '"https://other/base/x"')
  ])
})

t.test('a base that is the root of the origin: references of common attributes, not every slash', async t => {
  check(t, { origins: ['http://origin'], mountPrefix: '/cdn', markup: true }, [
    ['<a href="/x"><img src=\'/y\'><form action="/">', '<a href="/cdn/x"><img src=\'/cdn/y\'><form action="/cdn/">'],
    ['url(/a) url("/b") url(\'/c\')', 'url(/cdn/a) url("/cdn/b") url(\'/cdn/c\')'],
    ...same('href="//other/x"', 'src="/\\other/x"', 'x.replace(/a/g, "/")', 'a = b=/c/', '<br/>', 'href="/cdn/x"')
  ])
})

t.test('where the mount is called as the base, paths stay', async t => {
  check(t, { origins: ['http://origin/base'], mountPrefix: '/base', markup: true }, [...same('"/base/x"', '"/base"'), ['"http://origin/base/x"', '"/base/x"']])
})

t.test('many origins fit', async t => {
  const origins = Array.from({ length: 256 }, (_, n) => `http://media-origin-${n}.internal.example.com:8080/assets/public/`)
  check(t, { origins, mountPrefix: '/cdn', markup: true }, [['"http://media-origin-255.internal.example.com:8080/assets/public/x"', '"/cdn/x"']])
})
