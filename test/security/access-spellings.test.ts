/**
 * A protected mount lies below a public one over a source that holds the same files, or over an origin that reads
 * paths leniently. Who spells the protected prefix otherwise (`/PRIVATE`, `//private`, `/./private`, `/private%2F`,
 * `/_ipx/_/PRIVATE`) is routed to the public mount, which must not give what the other one protects
 * (@fastify/static CVE-2026-6414 and its kind).
 */
import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, raw, scratch, serveMedia } from '../helpers/app.ts'
import { origin } from '../helpers/origin.ts'

const spellings = [
  '/PRIVATE/secret.png', '/Private/secret.png', '/%50RIVATE/secret.png', '//private/secret.png', '/./private/secret.png', '/%2e/private/secret.png',
  '/x/../private/secret.png', '/x/%2e%2e/private/secret.png', '/private%2Fsecret.png', '/private%2fsecret.png', '/private%5Csecret.png', '/private\\secret.png', '/private./secret.png',
  '/private%20/secret.png', '/private;a=b/secret.png', '/PRIVATE/secret.png?w=8', '/_ipx/_/PRIVATE/secret.png', '/_ipx/w_8/PRIVATE/secret.png', '/_ipx/_/private/secret.png', '/_ipx/_/%50rivate/secret.png', '/%5fipx/_/private/secret.png',
  '/_ipx/_//private/secret.png', '/_IPX/_/private/secret.png', '/private//secret.png', '/private/%2e/secret.png', '/private/../private/secret.png', '/%70rivate/secret.png', '/private/secret%2epng', '/private/SECRET.png', '/%2570rivate/secret.png', '/pri%C5%BFvate/secret.png', '/private/_ipx/_/secret.png', '/private/_ipx/w_8/secret.png'
]

t.test('no spelling of a protected path gives what it protects', async t => {
  const root = await scratch(t, { 'private/secret.png': 'a secret', 'open.txt': 'open' })
  const far = await origin(t, (_request, response) => { response.end('a secret') })
  const strategies = { here: { driver: 'ip', allow: ['192.0.2.1'] }, links: { driver: 'signed', keys: [{ id: 'a', secret: 'q8#kP2!vR9mX4$tL7wZ1cN6bH3jF5dS0' }] } }
  const sources = { all: { driver: 'file', root, caseInsensitive: true }, private: { driver: 'file', root: `${root}/private`, caseInsensitive: true } }
  const publics = [{ source: 'all', listing: true, images: { mode: 'open' } }, { delivery: 'proxy', upstream: 'far' }, { delivery: 'gateway', upstream: 'far' }]
  for (const mount of publics) {
    const served = await serveMedia(t, { strategies, sources, upstreams: { far: { origins: [{ url: far.url }] } }, mounts: [mount, { prefix: '/private', source: 'private', images: { mode: 'open' }, access: { read: ['links'] } }] } as unknown as MediaOptions)
    for (const path of spellings) {
      if (mount.source === undefined && /ipx/i.test(path) && !path.startsWith('/private')) continue // a path like any other, to an origin
      const answer = await raw(served, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      if (path.startsWith('/%2570') || path.startsWith('/pri%C5%BF')) continue // other names: what these files hold is not protected
      t.match(answer, /^HTTP\/1\.1 (?:400|401|404) /, `${mount.delivery ?? 'serve'} ${path}`)
      t.notMatch(answer, /a secret|secret\.png"/, path)
    }
    t.match(await ask(served, mount.source === undefined ? '/elsewhere' : '/open.txt'), { status: 200 })
    t.match(await ask(served, '/private-not/x'), { status: mount.source === undefined ? 200 : 404 }, 'a prefix ends where a segment does')
  }
})
