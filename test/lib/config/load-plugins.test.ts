import { join } from 'node:path'
import t from 'tap'
import { loadPlugins, pluginsOf } from '../../../lib/config/load-plugins.ts'
import { ConfigError } from '../../../lib/config/mistakes.ts'
import { scratch } from '../../helpers/app.ts'

type Listed = Parameters<typeof loadPlugins>[0]

function audit (): void {}

function configOf (plugins: Listed['plugins'], uses: string[] = []): Listed {
  return { plugins, mounts: [{ plugins: uses.map(use => ({ use, at: 'afterAuth' })) }] as unknown as Listed['mounts'] }
}

async function mistakesOf (config: Listed, given?: Record<string, unknown>): Promise<Record<string, string>> {
  try {
    await loadPlugins(config, given)
    return {}
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return Object.fromEntries(error.mistakes.map(({ path, message }) => [path, message]))
  }
}

t.test('a listed module is run and its default export taken, with the options of the list', async t => {
  const folder = await scratch(t, { 'audit.mjs': 'export default async function audit () {}', 'old.cjs': 'exports.default = function old () {}' })
  const config = configOf({ audit: { module: join(folder, 'audit.mjs'), options: { level: 3 } }, old: { module: join(folder, 'old.cjs'), options: {} } }, ['old', 'audit'])
  const listed = await loadPlugins(config)
  const [old, audited] = pluginsOf(config.mounts[0] as Listed['mounts'][0], listed)
  t.match(old, { name: 'old', at: 'afterAuth', options: {} })
  t.equal(old?.plugin.name, 'old', 'also of CommonJS that was TypeScript once')
  t.match(audited, { name: 'audit', at: 'afterAuth', options: { level: 3 } })
  t.equal(audited?.plugin.name, 'audit')
})

t.test('a function that the app gives is listed, with options where the list has some', async t => {
  const listed = await loadPlugins(configOf({ audit: { options: { level: 3 } } }, ['audit', 'constructor']), { audit, constructor: audit })
  t.strictSame(listed.get('audit'), { plugin: audit, options: { level: 3 } })
  t.strictSame(listed.get('constructor'), { plugin: audit, options: {} })
  t.equal((await loadPlugins(configOf({}))).size, 0)
})

t.test('a name that nobody listed is refused where it stands, with the one that was meant', async t => {
  t.strictSame(await mistakesOf(configOf({}, ['audit', 'adit', 'toString']), { audit }), {
    'mounts[0].plugins[1].use': 'Expected the name of a listed plugin but received "adit". Did you mean audit?',
    'mounts[0].plugins[2].use': 'Expected the name of a listed plugin but received "toString"'
  })
})

t.test('a plugin that cannot be had is refused by name, all at once', async t => {
  const folder = await scratch(t, { 'broken.mjs': 'throw new Error("no luck")', 'odd.mjs': 'throw "a word"', 'none.mjs': 'export default 5', 'named.mjs': 'export function plugin () {}', 'good.mjs': 'export default function good () {}' })
  const file = (name: string): { module: string, options: Record<string, unknown> } => ({ module: join(folder, name), options: {} })
  const given = { both: audit, text: 'audit.mjs', word: 'audit' }
  const mistakes = await mistakesOf(configOf({ broken: file('broken.mjs'), odd: file('odd.mjs'), none: file('none.mjs'), named: file('named.mjs'), gone: file('gone.mjs'), nobody: { options: {} }, both: file('good.mjs'), word: { options: {} } }, ['broken', 'nobody']), given)
  t.strictSame(Object.keys(mistakes), ['plugins.broken', 'plugins.odd', 'plugins.none', 'plugins.named', 'plugins.gone', 'plugins.nobody', 'plugins.both', 'plugins.word', 'extensions.text'], 'mounts that name one are not blamed for it')
  t.match(mistakes['plugins.broken'], /^Expected a module that can be run but .* cannot: no luck$/)
  t.match(mistakes['plugins.odd'], /cannot: a word$/)
  t.match(mistakes['plugins.none'], /to export a function as default but received 5$/)
  t.match(mistakes['plugins.named'], /but received nothing$/)
  t.match(mistakes['plugins.gone'], /gone\.mjs/)
  t.equal(mistakes['plugins.nobody'], 'Expected a module, or a function of this name from the app (extensions), but there is neither')
  t.equal(mistakes['plugins.both'], 'Expected a module or a function of this name from the app (extensions), but there are both')
  t.equal(mistakes['plugins.word'], 'Expected a function from the app (extensions) but received "audit"')
  t.equal(mistakes['extensions.text'], 'Expected a function but received "audit.mjs"')
})
