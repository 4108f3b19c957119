import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import type { Strategy } from '../../lib/access/access.ts'
import { ask, oneMount, scratch, serveMedia, type Test } from '../helpers/app.ts'

/** Who has a badge, by its number. */
const badges: Strategy = {
  name: 'badges',
  challenge: 'Badge realm="tests"',
  fields: ['X-Badge'],
  judge ({ headers, path }) {
    const badge = headers['x-badge']
    if (typeof badge !== 'string') return { kind: 'absent' }
    if (badge === '7') return path.startsWith('/private/vault/') ? { kind: 'forbidden', reason: 'no badge opens the vault' } : { kind: 'granted', principal: { strategy: 'badges', name: 'ann' } }
    return { kind: 'invalid', reason: 'unknown badge' }
  }
}

const here = { driver: 'ip', allow: ['127.0.0.0/8'] }

async function options (t: Test, rules: object, rest: object = {}): Promise<MediaOptions> {
  const root = await scratch(t, { 'a.txt': 'a', 'vault/b.txt': 'b' })
  return { ...oneMount(root, { prefix: '/private', access: rules }, {}, { strategies: { here } }), ownStrategies: { badges }, ...rest }
}

t.test('a strategy of the app lets in, and refuses, by every status', async t => {
  const served = await serveMedia(t, await options(t, { read: { all: ['here', 'badges'] } }))
  const shows = (badge: string): Parameters<typeof ask>[2] => ({ headers: { 'x-badge': badge } })
  t.match(await ask(served, '/private/a.txt', shows('7')), { status: 200, text: 'a', headers: { 'cache-control': /^private/, 'vary': /X-Badge/ } })
  t.match(await ask(served, '/private/a.txt'), { status: 401, headers: { 'www-authenticate': 'Badge realm="tests"' } })
  t.match(await ask(served, '/private/a.txt', shows('8')), { status: 401 })
  t.match(await ask(served, '/private/vault/b.txt', shows('7')), { status: 403 })
  t.ok(served.logs.some(({ reason }) => reason === 'badges: unknown badge'))
  t.ok(served.logs.some(({ reason }) => reason === 'badges: no badge opens the vault'))
  t.ok(served.logs.some(({ path, status, principal }) => path === '/private/a.txt' && status === 200 && principal === 'badges:ann'))
})

t.test('one that no mount names is no mistake', async t => {
  const served = await serveMedia(t, await options(t, { read: 'here' }))
  t.equal((await ask(served, '/private/a.txt')).status, 200)
})

t.test('a configuration file may name them too', async t => {
  const root = await scratch(t, { 'files/a.txt': 'a' })
  const config = join(root, 'media.config.yaml')
  await writeFile(config, 'sources: { files: { driver: file, root: files } }\nmounts: [{ prefix: /private, source: files, access: { read: badges } }]\n')
  const served = await serveMedia(t, { config, ownStrategies: { badges } })
  t.equal((await ask(served, '/private/a.txt', { headers: { 'x-badge': '7' } })).status, 200)
  t.equal((await ask(served, '/private/a.txt')).status, 401)
  await t.rejects(serveMedia(t, { config }), { message: /mounts\[0\]\.access\.read: Expected the name of a strategy but received "badges"/ }, 'only with them')
})

t.test('a name that is neither the configuration\'s nor the app\'s is refused, with the nearest of both', async t => {
  await t.rejects(serveMedia(t, await options(t, { read: ['badge', 'her'] })), { message: /received "badge"\. Did you mean badges\?[^]*received "her"\. Did you mean here\?/ })
})

t.test('a name stands for one strategy', async t => {
  await t.rejects(serveMedia(t, await options(t, { read: 'here' }, { ownStrategies: { here: badges } })), { message: /ownStrategies\.here: Expected a name of its own, but the configuration has a strategy of this name/ })
  await t.rejects(serveMedia(t, await options(t, { read: 'public' }, { ownStrategies: { public: badges } })), { message: /ownStrategies\.public: Expected another name, because in rules public is no strategy/ })
})

t.test('it signs no variants', async t => {
  const root = await scratch(t)
  await t.rejects(serveMedia(t, { ...oneMount(root, { images: { mode: 'signed', signedBy: 'badges' } }), ownStrategies: { badges } }), { message: /images\.signedBy: Expected the name of a strategy with driver signed but received "badges"/ })
})
