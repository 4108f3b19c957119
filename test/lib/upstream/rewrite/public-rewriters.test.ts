import t from 'tap'
import { publicRewriters } from '../../../../lib/upstream/rewrite/public-rewriters.ts'

t.test('rewriters by the public URL of the server: each made once while it is in use', async t => {
  const rewriterFor = publicRewriters({ origins: [new URL('http://origin/base')], mountPrefix: '/cdn', publicBase: 'https://usual', locations: true, cookies: 'adapt', types: [], urls: true, replace: [] })
  const location = (base: string | undefined): unknown => rewriterFor(base).fields({ location: '/base/x' }).location
  t.same([location('https://usual'), location('https://a'), location(undefined)], ['https://usual/cdn/x', 'https://a/cdn/x', '/cdn/x'])
  t.equal(rewriterFor('https://usual'), rewriterFor('https://usual'))
  t.equal(rewriterFor('https://a'), rewriterFor('https://a'))
  const first = rewriterFor('https://a')
  for (let n = 0; n < 20; n++) rewriterFor(`https://host-${n}`)
  t.not(rewriterFor('https://a'), first, 'those of many names are not all kept')
})
