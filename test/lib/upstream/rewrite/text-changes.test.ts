import { Readable } from 'node:stream'
import { createGunzip, gzipSync } from 'node:zlib'
import t from 'tap'
import { textChanges, type TextOptions } from '../../../../lib/upstream/rewrite/text-changes.ts'

const options: TextOptions = { origins: [new URL('http://origin/base')], mountPrefix: '/cdn', urls: true, replace: [] }

t.test('what came whole and stays small comes whole, all else streams', async t => {
  const changes = textChanges(options)
  const growing = textChanges({ ...options, replace: [{ from: 'x', to: 'y'.repeat(2000) }] })
  const body = Buffer.alloc(1000, 'x')
  t.same(changes.apply({ kind: 'plain', body, decoders: [] }), body)
  t.ok(growing.apply({ kind: 'plain', body, decoders: [] }) instanceof Readable, 'a body that may become large')
  t.ok(changes.apply({ kind: 'plain', body: Buffer.alloc(2_000_000), decoders: [] }) instanceof Readable, 'one that is')
  t.ok(changes.apply({ kind: 'plain', body: gzipSync(body), decoders: [createGunzip] }) instanceof Readable, 'one whose length is not known')
  t.ok(changes.apply({ kind: 'plain', body: Readable.from([body]), decoders: [] }) instanceof Readable)
  t.same(growing.apply({ kind: 'plain', body: Buffer.from('x'), decoders: [] }), Buffer.alloc(2000, 'y'))
})

t.test('one origin more, in another order or twice, is told apart by what it changes', async t => {
  const hash = (rest: Partial<TextOptions>): string => textChanges({ ...options, ...rest }).hash
  const [one, other] = [new URL('http://one/'), new URL('http://other/')]
  t.equal(hash({ origins: [one, other] }), hash({ origins: [other, one] }))
  t.not(hash({ origins: [one] }), hash({ origins: [one, other] }))
  t.not(hash({ replace: [{ from: 'a', to: 'b' }, { from: 'c', to: 'd' }] }), hash({ replace: [{ from: 'c', to: 'd' }, { from: 'a', to: 'b' }] }))
  t.equal(hash({ urls: false, mountPrefix: '/a' }), hash({ urls: false, mountPrefix: '/b' }), 'without URLs the mount changes nothing')
  t.match(hash({}), /^[\w-]{11}$/)
})
