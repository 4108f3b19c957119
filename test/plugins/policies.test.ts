import t from 'tap'
import cachePolicy from '../../plugins/cache-policy.ts'
import securityHeaders from '../../plugins/security-headers.ts'
import { ask, oneMount, scratch, serve, serveMedia } from '../helpers/app.ts'

const documents = { 'a.html': '<script>1</script>', 'a.svg': '<svg/>', 'a.xml': '<x/>', 'a.xhtml': '<x/>', 'a.pdf': '%PDF', 'a.png': 'x', 'a.css': 'x', 'a.js': 'x', 'a.txt': 'x', 'noending': '<html>' }

t.test('cache rules go by media type and final status', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, documents), { cache: { default: '5m', types: { 'image/*': '30d immutable no-transform', 'image/svg+xml': '1h stale-while-revalidate=1d', 'TEXT/HTML': 'no-store' } } }))
  const rule = async (path: string, headers = {}): Promise<unknown> => (await ask(served, path, { headers })).headers['cache-control']
  t.equal(await rule('/a.png'), 'public, max-age=2592000, immutable, no-transform')
  t.equal(await rule('/a.svg'), 'public, max-age=3600, stale-while-revalidate=86400')
  t.equal(await rule('/a.html'), 'no-store')
  t.equal(await rule('/a.txt'), 'public, max-age=300')
  t.equal(await rule('/none.png'), 'no-store', 'an error is not kept')
  t.equal(await rule('/a.png', { range: 'bytes=9-' }), 'no-store', 'nor is a 416')
  const { etag } = (await ask(served, '/a.png')).headers
  t.equal(await rule('/a.png', { 'if-none-match': etag }), 'public, max-age=2592000, immutable, no-transform', 'a 304 has the rule of what it stands for')
  t.equal(await rule('/a.png', { range: 'bytes=0-0,0-0' }), 'public, max-age=2592000, immutable, no-transform')
})

t.test('a route that sets Cache-Control keeps it, and errors lose it', async t => {
  const served = await serve(t, async app => {
    await app.register(cachePolicy, {})
    app.get('/own', async (_request, reply) => { reply.header('cache-control', 'private'); return 'x' })
    app.get('/plain', async () => 'x')
    app.get('/bare', async (_request, reply) => { reply.code(200); return await reply.send() })
    app.get('/error', async (_request, reply) => { reply.header('cache-control', 'public').code(503); return 'x' })
  })
  for (const [path, value] of [['/own', 'private'], ['/plain', 'no-cache'], ['/bare', 'no-cache'], ['/error', 'no-store']] as const) t.equal((await ask(served, path)).headers['cache-control'], value, path)
})

t.test('every answer of a mount is nosniff, and SVG is shut off from everything', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, documents)))
  for (const name of Object.keys(documents)) {
    const { headers } = await ask(served, `/${name}`)
    t.equal(headers['x-content-type-options'], 'nosniff', name)
    t.equal(headers['content-security-policy']?.includes('sandbox') ?? false, name === 'a.svg', name)
  }
  t.match((await ask(served, '/none')).headers, { 'x-content-type-options': 'nosniff' })
  t.match((await ask(served, '/%E0%A4%A')).headers, { 'x-content-type-options': 'nosniff' })
})

t.test('what users may write is never an active document, in whole, in part or unmodified', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, documents), { permission: 'read-write' }))
  for (const name of ['a.html', 'a.svg', 'a.xml', 'a.xhtml', 'a.pdf']) {
    const { headers } = await ask(served, `/${name}`)
    t.match(headers, { 'content-security-policy': /default-src 'none'.*sandbox$/, 'x-content-type-options': 'nosniff' }, name)
    for (const more of [{ range: 'bytes=0-1' }, { 'if-none-match': headers.etag as string }]) {
      t.match((await ask(served, `/${name}`, { headers: more })).headers, { 'content-security-policy': /sandbox/ }, name)
    }
  }
  for (const name of ['a.png', 'a.txt', 'noending']) t.equal((await ask(served, `/${name}`)).headers['content-security-policy'], undefined, name)
  t.match((await ask(served, '/noending')).headers, { 'content-type': 'application/octet-stream' })
})

t.test('an owner may trust his own SVG', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, documents), { trustActiveContent: true }))
  t.equal((await ask(served, '/a.svg')).headers['content-security-policy'], undefined)
})

t.test('a route that sets its own policy keeps it', async t => {
  const served = await serve(t, async app => {
    await app.register(securityHeaders, {})
    app.get('/', async (_request, reply) => await reply.type('image/svg+xml').header('content-security-policy', 'default-src none').send('<svg/>'))
  })
  t.equal((await ask(served, '/')).headers['content-security-policy'], 'default-src none')
})
