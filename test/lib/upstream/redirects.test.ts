import { Readable } from 'node:stream'
import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import type { Fields, UpstreamResponse } from '../../../lib/upstream/message.ts'
import { followRedirects, type Followed, type FollowOptions } from '../../../lib/upstream/redirects.ts'
import { remoteRules } from '../../../lib/upstream/remote-rules.ts'

type Page = Partial<UpstreamResponse>

const redirect = (location: string | string[], status = 302): Page => ({ status, headers: { location } })

/** Answers by URL; what is not listed is a page that tells its URL. */
function world (pages: Record<string, Page> = {}, allow = ['https://*.example', 'http://*.example:8080']): { asked: Array<{ url: string, headers: Fields }>, follow: (start: string, options?: Partial<FollowOptions>) => Promise<Followed> } {
  const asked: Array<{ url: string, headers: Fields }> = []
  const { check } = remoteRules(allow)
  const send: FollowOptions['send'] = async (url, headers) => {
    asked.push({ url: url.href, headers })
    return { status: 200, headers: {}, body: Buffer.from(url.href), trailers: () => undefined, ...pages[url.href] }
  }
  return { asked, follow: async (start, options = {}) => await followRedirects(new URL(start), { maxRedirects: 3, check, send, ...options }) }
}

t.test('an answer that is no redirect is the answer', async t => {
  for (const status of [200, 204, 206, 300, 304, 305, 306, 400, 404, 500]) {
    const { asked, follow } = world({ 'https://a.example/': { status, headers: { location: 'https://b.example/' } } })
    const { url, response } = await follow('https://a.example/')
    t.strictSame([url.href, response.status, asked.length], ['https://a.example/', status, 1], `${status}`)
  }
})

t.test('a redirect is followed, relative ones from where they are', async t => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [location, target] of [
      ['https://b.example/c', 'https://b.example/c'], ['/c', 'https://a.example/c'], ['c?d', 'https://a.example/x/c?d'], ['../c', 'https://a.example/c'], ['?d', 'https://a.example/x/y?d'], ['//b.example/c', 'https://b.example/c'], ['/c#d', 'https://a.example/c'],
      ['https://b.example.:443', 'https://b.example/'], ['/caf\u00c3\u00a9', 'https://a.example/caf%C3%A9'], ['/caf\u00e9', 'https://a.example/caf%C3%A9'], ['/%zz', 'https://a.example/%zz'], ['/中', 'https://a.example/%E4%B8%AD']
    ] as const) {
      const { asked, follow } = world({ 'https://a.example/x/y': redirect(location, status) })
      const { url, response } = await follow('https://a.example/x/y')
      t.strictSame([url.href, String(response.body as Buffer), asked.length], [target, target, 2], `${status} ${JSON.stringify(location)}`)
    }
  }
})

t.test('as many are followed as are allowed', async t => {
  const chain = Object.fromEntries(Array.from({ length: 30 }, (_, place) => [`https://a.example/${place}`, redirect(`/${place + 1}`)]))
  for (const maxRedirects of [0, 1, 5, 20]) {
    const { asked, follow } = world(chain)
    await t.rejects(follow('https://a.example/0', { maxRedirects }), { name: 'MediaError', code: 'upstream-redirects', statusCode: 502, detail: `The server behind this one redirects more than ${maxRedirects} times`, context: { from: 'https://a.example', to: 'https://a.example' } })
    t.equal(asked.length, maxRedirects + 1)
    const again = world(chain)
    t.equal((await again.follow(`https://a.example/${30 - maxRedirects}`, { maxRedirects })).url.href, 'https://a.example/30')
  }
})

t.test('a circle ends at once', async t => {
  for (const [pages, count] of [
    [{ 'https://a.example/': redirect('/') }, 1], [{ 'https://a.example/': redirect('#b') }, 1], [{ 'https://a.example/': redirect('') }, 1], [{ 'https://a.example/': redirect('https://a.example.:443/') }, 1],
    [{ 'https://a.example/': redirect('https://b.example/'), 'https://b.example/': redirect('https://a.example/') }, 2], [{ 'https://a.example/': redirect('/b'), 'https://a.example/b': redirect('/c'), 'https://a.example/c': redirect('/b') }, 3]
  ] as const) {
    const { asked, follow } = world(pages)
    await t.rejects(follow('https://a.example/', { maxRedirects: 20 }), { code: 'upstream-redirects', detail: /in a circle/ })
    t.equal(asked.length, count)
  }
})

t.test('each hop is checked before it is asked for', async t => {
  for (const location of [
    'http://169.254.169.254/latest/meta-data/', 'https://169.254.169.254/', 'http://127.0.0.1:8080/', 'https://localhost/', 'https://[::1]/', 'https://2130706433/', 'https://0x7f.1/', 'https://metadata.google.internal/', 'https://evil.test/', 'https://evilexample/', '//evil.test/', 'https://a.example:8443/',
    'http://a.example/', 'http://b.example/', 'https://a.example@evil.test/', 'https://user@b.example/', 'https://:p@b.example/', '\\\\b.example\\', '/\\b.example/', 'https://b.example\\@a.example/', ' https://b.example/', 'https://b.example/\t', 'https://b.exa\nmple/', 'ftp://b.example/', 'file:///etc/passwd', 'data:text/plain,x', 'javascript:x', 'unix:/run/docker.sock', 'https://', 'https://[', 'https://b..example/', 'https://b.example:99999/', `/${'x'.repeat(5000)}`
  ]) {
    const { asked, follow } = world({ 'https://a.example/': redirect('https://b.example/'), 'https://b.example/': redirect(location) })
    await t.rejects(follow('https://a.example/', { maxRedirects: 20 }), { code: 'upstream-redirects', statusCode: 502, cause: { code: /^(?:remote-forbidden|bad-remote-url)$/ }, context: { from: 'https://b.example' } }, JSON.stringify(location))
    t.strictSame(asked.map(({ url }) => url), ['https://a.example/', 'https://b.example/'])
  }
})

t.test('from https it leads to http only where the rules name that origin', async t => {
  const { follow } = world({ 'https://a.example/': redirect('http://b.example:8080/') })
  t.equal((await follow('https://a.example/')).url.href, 'http://b.example:8080/')
  await t.rejects(world({ 'https://a.example/': redirect('http://b.example/') }).follow('https://a.example/'), { code: 'upstream-redirects' })
})

t.test('a redirect to nowhere, or to several places, is none', async t => {
  for (const headers of [{}, { location: ['https://a.example/b', 'https://a.example/c'] }, { location: [] }] as Fields[]) {
    const { asked, follow } = world({ 'https://a.example/': { status: 302, headers } })
    await t.rejects(follow('https://a.example/'), { code: 'upstream-redirects', detail: 'The server behind this one redirects to nowhere', context: { from: 'https://a.example' } })
    t.equal(asked.length, 1)
  }
})

t.test('what the first check, or any request, fails with is told as it is', async t => {
  const { asked, follow } = world()
  await t.rejects(follow('https://evil.test/'), { code: 'remote-forbidden', statusCode: 403 })
  t.equal(asked.length, 0)
  const failing = world({ 'https://a.example/': redirect('/b') })
  await t.rejects(failing.follow('https://a.example/', { send: async () => { throw new MediaError('upstream-refused') } }), { code: 'upstream-refused' })
})

const all: Fields = {
  accept: 'image/*', 'accept-encoding': 'identity', 'accept-language': 'de', 'user-agent': 'fastify-media', range: 'bytes=0-9', 'if-range': '"a"', 'if-match': '"a"', 'if-none-match': '"a"', 'if-modified-since': 'x', 'if-unmodified-since': 'x',
  host: 'a.example', authorization: 'Basic c2VjcmV0', cookie: 'secret=1', 'proxy-authorization': 'Basic c2VjcmV0', 'x-api-key': 'secret', 'x-amz-security-token': 'secret', referer: 'https://inside.example/?secret', origin: 'https://inside.example', 'x-forwarded-for': '10.0.0.1', forwarded: 'for=10.0.0.1', via: '1.1 inside', 'x-several': ['a', 'b']
}
const impersonal = Object.fromEntries(Object.entries(all).slice(0, 10))
const { host: _host, ...mine } = all

t.test('what tells of a client stays with the origin it was meant for', async t => {
  for (const to of ['https://b.example/', 'http://a.example:8080/', 'https://sub.a.example/']) {
    const { asked, follow } = world({ 'https://a.example/': redirect(to) })
    await follow('https://a.example/', { headers: all })
    t.strictSame(asked.map(({ headers }) => headers), [all, impersonal], to)
  }
  const near = world({ 'https://a.example/': redirect('/b') })
  await near.follow('https://a.example/', { headers: all })
  t.strictSame(near.asked.map(({ headers }) => headers), [all, mine], 'within the origin all but Host goes along')
  const back = world({ 'https://a.example/': redirect('https://b.example/'), 'https://b.example/': redirect('https://a.example/c') })
  await back.follow('https://a.example/', { headers: all })
  t.strictSame(back.asked.map(({ headers }) => headers), [all, impersonal, impersonal], 'and does not come back')
  t.equal(all.host, 'a.example', 'nothing was changed in what was given')
})

t.test('the body of a redirect is given up, whatever becomes of it', async t => {
  const bodies = [new Readable({ read () {} }), Readable.from([Buffer.alloc(100)]), new Readable({ read () {}, destroy (_error, done) { done(new Error('it failed on its way')) } })]
  for (const body of bodies) {
    const { follow } = world({ 'https://a.example/': { ...redirect('/b'), body } })
    t.equal(String((await follow('https://a.example/')).response.body as Buffer), 'https://a.example/b')
    t.ok(body.destroyed)
  }
  const body = new Readable({ read () {} })
  await t.rejects(world({ 'https://a.example/': { ...redirect('https://evil.test/'), body } }).follow('https://a.example/'), { code: 'upstream-redirects' })
  t.ok(body.destroyed, 'also where the redirect is refused')
  const kept = new Readable({ read () {} })
  const { response } = await world({ 'https://a.example/b': { body: kept }, 'https://a.example/': redirect('/b') }).follow('https://a.example/')
  t.equal(response.body, kept)
  t.notOk(kept.destroyed, 'the body of the answer is not touched')
})
