import { readFileSync } from 'node:fs'
import t from 'tap'
import { oneMount, scratch, serveMedia } from '../helpers/app.ts'

t.test('printed routes read as the hook order', async t => {
  const root = await scratch(t)
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true, cors: { origins: ['*'] } }, {}, { log: { serverTiming: true } }))
  const printed = served.app.printRoutes({ includeHooks: true, commonPrefix: false, method: 'GET' })
  const mount = printed.slice(printed.indexOf('/files'))
  t.match(mount, /\(onRequest\) \["logRequest\(\)","startTimer\(\)","requireHost\(\)","handleCors\(\)"\]/, 'preflights are answered before anyone is asked who they are')
  t.match(mount, /\(onSend\) \["addServerTiming\(\)","setSecurityHeaders\(\)","setCacheControl\(\)","tagText\(\)"\]/)
  t.notMatch(printed, /anonymous/, 'every hook is named')
  const page = readFileSync('docs/life-of-a-request.md', 'utf8')
  for (const [, name] of mount.matchAll(/"(\w+)\(\)"/g)) t.match(page, `\`${name}\``, `docs/life-of-a-request.md tells of ${name}`)
})

t.test('the root app reads as a list', t => {
  t.ok(readFileSync('app.ts', 'utf8').split('\n').length <= 61)
  t.end()
})
