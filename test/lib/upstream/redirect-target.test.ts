import t from 'tap'
import { proxyTest, redirectTarget } from '../../../lib/upstream/redirect-target.ts'

const base = 'https://cdn.example.com/assets'
const target = (options: object = {}): (target: string) => string => redirectTarget({ prefix: '/cdn', base, template: '{path}', query: 'keep', ...options })

t.test('the path below the mount follows the base, as it was sent', async t => {
  for (const [asked, location] of [
    ['/cdn/cat.jpg', '/cat.jpg'],
    ['/cdn', '/'],
    ['/cdn/', '/'],
    ['/cdn/a%2Fb/..name/...?x=1&y=%2F', '/a%2Fb/..name/...?x=1&y=%2F'],
    ['/cdn/a//b', '/a//b'],
    ['/cdn//evil.example/x', '//evil.example/x'],
    ['/cdn/@evil.example', '/@evil.example'],
    ['http://evil.example/cdn/x', '/x'],
    ['/cdn/\u00e9', '/%E9'],
    ['/cdn/<x>"', '/%3Cx%3E%22'],
    ['/cdn/a\\b', '/a%5Cb']
  ] as const) t.equal(target()(asked), base + location, asked)
  t.equal(target({ base: `${base}/` })('/cdn/x'), `${base}/x`)
  t.equal(target({ base: 'https://cdn.example.com' })('/cdn//evil.example/x'), 'https://cdn.example.com//evil.example/x')
})

t.test('a template may stand around the path, with a query of its own', async t => {
  t.equal(target({ template: '/v1{path}.bin?sig=1' })('/cdn/x?y=2'), `${base}/v1/x.bin?sig=1&y=2`)
  t.equal(target({ query: 'drop' })('/cdn/x?y=2'), `${base}/x`)
})

t.test('nothing leads out of the base', async t => {
  for (const asked of ['/cdn/../x', '/cdn/%2e%2e/x', '/cdn/a%2f..%2f..%2fx', '/cdn/..\\x', '/cdn/..%5cx', '/cdn/..;/x', '/cdn/.%2E', '/cdn/x%00', '/cdn/x#y']) {
    t.throws(() => target()(asked), { code: 'bad-path' }, asked)
  }
  t.throws(() => target()('/other/x'), { code: 'not-found' })
  for (const template of ['@evil.example{path}', '.evil.example{path}', '/../other{path}', '/%2e%2e/other{path}']) {
    t.throws(() => target({ template }), { name: 'TypeError', message: /^Expected a template that stays below/ }, template)
  }
})

t.test('who cannot follow is told by header, by rule or by name', async t => {
  const { needsProxy, vary } = proxyTest({ proxyFor: ['range', 'cors', 'user-agent'], userAgents: ['VLC'] })
  t.equal(vary, 'Prefer, Range, Sec-Fetch-Mode, User-Agent')
  for (const headers of [{ range: 'bytes=0-' }, { prefer: 'proxy' }, { prefer: 'wait=1, proxy' }, { 'sec-fetch-mode': 'cors' }, { 'user-agent': 'vlc/3.0' }]) t.equal(needsProxy(headers), true, JSON.stringify(headers))
  for (const headers of [{}, { prefer: 'proxy-x' }, { 'sec-fetch-mode': 'no-cors' }, { 'user-agent': 'curl' }]) t.equal(needsProxy(headers), false, JSON.stringify(headers))
  t.equal(proxyTest({ proxyFor: [], userAgents: [] }).vary, 'Prefer')
})
