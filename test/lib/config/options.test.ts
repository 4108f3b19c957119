import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { configOf, directoryConfig, type MediaOptions } from '../../../lib/config/options.ts'
import { scratch } from '../../helpers/app.ts'

const surroundings = { cwd: '/', environment: {}, ignore: ['frameworkErrors'] }
const inline: MediaOptions = { sources: { a: { driver: 'file', root: '.' } }, mounts: [{ source: 'a' }] }

t.test('options are the configuration, without what is Fastify\'s or the server\'s', async t => {
  const options = { ...inline, prefix: '/x', logLevel: 'debug', frameworkErrors: () => undefined } as MediaOptions
  t.match(await configOf(options, surroundings), { sources: { a: { root: '/' } }, mounts: [{ prefix: '/' }] })
})

t.test('what the app gives itself may be named, also by a file', async t => {
  const cwd = await scratch(t, { 'media.config.yaml': 'sources: { a: { driver: file, root: . } }\nmounts: [{ source: a, access: { read: session } }]' })
  const given = { ...surroundings, cwd, ownStrategies: ['session'] }
  t.match(await configOf({}, given), { mounts: [{ access: { read: 'session' } }] })
  t.match(await configOf({ ...inline, mounts: [{ source: 'a', access: { read: 'session' } }] }, given), { mounts: [{ access: { read: 'session' } }] })
  await t.rejects(configOf({}, { ...surroundings, cwd }), { message: /received "session"/ })
})

t.test('options are not touched by the environment', async t => {
  t.equal((await configOf(inline, { ...surroundings, environment: { PORT: '1' } })).server.port, 3000)
})

t.test('without options the file in the working directory is read, or the one that is named', async t => {
  const cwd = await scratch(t, { 'media.config.json': '{"log": {"level": "warn"}}', 'other.yaml': 'log: { level: error }' })
  t.equal((await configOf({}, { ...surroundings, cwd })).log.level, 'warn')
  t.equal((await configOf({ prefix: '/x', config: undefined } as never, { ...surroundings, cwd })).log.level, 'warn')
  t.equal((await configOf({ config: 'other.yaml' }, { ...surroundings, cwd })).log.level, 'error')
})

t.test('without any file MEDIA_ROOT is served', async t => {
  const cwd = await scratch(t, { 'pictures/a.txt': '' })
  const config = await configOf({}, { ...surroundings, cwd, environment: { MEDIA_ROOT: 'pictures' } })
  t.match(config, { sources: { files: { root: join(cwd, 'pictures') } }, mounts: [{ prefix: '/', source: 'files', listing: true }] })
})

t.test('without even that, the pictures that come with the package', t => {
  for (const nothing of [undefined, '']) {
    const { root } = Object.values(directoryConfig(nothing).sources ?? {})[0] as { root: string }
    t.equal(basename(root), 'media')
    t.ok(existsSync(join(root, '../../package.json')))
  }
  t.end()
})

t.test('a file stands alone, and is named by a text', async t => {
  await t.rejects(configOf({ config: 'a.yaml', log: {} }, surroundings), /config: Expected no other option beside it but received log/)
  await t.rejects(configOf({ config: 5 } as never, surroundings), /config: Expected the name of a file but received 5/)
})
