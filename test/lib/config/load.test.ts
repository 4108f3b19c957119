import { join } from 'node:path'
import t from 'tap'
import { configNames, loadConfig } from '../../../lib/config/load.ts'
import { scratch } from '../../helpers/app.ts'

const fallback = { sources: { given: { driver: 'file', root: '/' } } }

t.test('the first of the known names in the working directory is read', async t => {
  const contents: Record<string, string> = {}
  for (const name of configNames) contents[name] = name.endsWith('js') ? `export default { log: { file: '${name}' } }` : JSON.stringify({ log: { file: name } })
  contents['package.json'] = '{"type": "module"}'
  for (const [place, name] of configNames.entries()) {
    const left = Object.entries(contents).filter(([other]) => !(configNames.slice(0, place) as string[]).includes(other))
    const cwd = await scratch(t, Object.fromEntries(left))
    const { config, file } = await loadConfig({ cwd, environment: {}, fallback })
    t.equal(config.log.file, join(cwd, name), 'paths start from the file')
    t.equal(file, join(cwd, name))
  }
})

t.test('without a file the fallback stands, its texts as they are', async t => {
  const cwd = await scratch(t, { '${HOME}/x.txt': '' })
  const { config, file } = await loadConfig({ cwd, environment: { PORT: '81' }, fallback: { sources: { a: { driver: 'file', root: '${HOME}' } } } })
  t.match(config, { sources: { a: { root: join(cwd, '${HOME}') } }, server: { port: 81 } })
  t.equal(file, undefined)
})

t.test('null looks for no file', async t => {
  const cwd = await scratch(t, { 'media.config.json': '{"log": {"level": "fatal"}}' })
  t.equal((await loadConfig({ cwd, environment: {}, fallback })).config.log.level, 'fatal')
  t.equal((await loadConfig({ cwd, environment: {}, fallback, file: null })).config.log.level, 'info')
})

t.test('a relative root starts from the file\'s own directory, and the environment is put in', async t => {
  const cwd = await scratch(t, { 'etc/site.yaml': 'sources:\n  a: { driver: file, root: "../${NAME}" }\nserver: { port: 5 }\n', 'pictures/a.txt': '' })
  const { config, secrets } = await loadConfig({ cwd, environment: { NAME: 'pictures', PORT: '6' }, fallback, file: 'etc/site.yaml' })
  t.match(config, { sources: { a: { root: join(cwd, 'pictures') } }, server: { port: 6 } })
  t.strictSame([...secrets], [])
})

t.test('mistakes name the file', async t => {
  const cwd = await scratch(t, { 'media.config.json': '{"mount": []}' })
  await t.rejects(loadConfig({ cwd, environment: {}, fallback }), { message: `1 mistake in ${join(cwd, 'media.config.json')}:\n  mount: Unknown key. Did you mean mounts?` })
  await t.rejects(loadConfig({ cwd, environment: {}, fallback: { mount: [] }, file: null }), { message: '1 mistake in the configuration:\n  mount: Unknown key. Did you mean mounts?' })
})
