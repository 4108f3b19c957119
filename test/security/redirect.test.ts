// A redirect to a directory must not become a redirect to another host: @fastify/static
// GHSA-p6vg-p826-qp3v and GHSA-pgh6-m65r-2rhq.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { oneMount, raw, scratch, serveMedia } from '../helpers/app.ts'

t.test('no path redirects to another host, and no forwarded header splits the answer', async t => {
  const root = await scratch(t, { 'd/x.txt': '' })
  for (const name of ['google.com', '^', ':', 'a', 'http:']) await mkdir(join(root, name), { recursive: true })
  const served = await serveMedia(t, oneMount(root, {}, {}, { trustedProxies: ['127.0.0.1'] }))
  const targets = ['//google.com/%2e%2e', '//^/..', '//:/..', '//a//youtube.com/%2e%2e%2f%2e%2e', '/\\\\a//google.com/%2e%2e%2f%2e%2e', '//google.com', '/google.com', '/http:', '///google.com', '/%5cgoogle.com', '/d?//evil.com', '//d', '/%09/google.com']
  for (const target of targets) {
    const text = await raw(served, `GET ${target} HTTP/1.1\r\nHost: ours.example\r\nConnection: close\r\n\r\n`)
    const location = /^location: (.*)\r$/im.exec(text)?.[1]
    if (location !== undefined) t.equal(new URL(location, 'http://ours.example/x').host, 'ours.example', target)
    else t.match(text, /^HTTP\/1\.1 (?:400|404)/, target)
  }
  for (const host of ['evil.example/x', 'a@evil.example', 'evil.example#', '"', 'a b', 'evil.example\\x', '[::1']) {
    const text = await raw(served, `GET /d HTTP/1.1\r\nHost: ours.example\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Prefix: //evil.example\r\nConnection: close\r\n\r\n`)
    t.notMatch(/^location: (.*)\r$/im.exec(text)?.[1] ?? '', /evil/, host)
  }
})
