import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError } from '../../../lib/config/mistakes.ts'
import { readConfig } from '../../../lib/config/read.ts'
import { scratch } from '../../helpers/app.ts'

/** Reads one file of the given name and content. */
async function read (t: Test, name: string, content: string): Promise<unknown> {
  return await readConfig(join(await scratch(t, { [name]: content }), name))
}

/** What is wrong with it. */
async function faults (t: Test, name: string, content: string): Promise<string[]> {
  try {
    await read(t, name, content)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ message }) => message)
  }
}

t.test('YAML, JSON and modules say the same', async t => {
  const expected = { sources: { a: { driver: 'file', root: 'x' } }, mounts: [{ source: 'a', listing: true }] }
  t.strictSame(await read(t, 'c.yaml', 'sources:\n  a: { driver: file, root: x }\nmounts:\n  - source: a\n    listing: true\n'), expected)
  t.strictSame(await read(t, 'c.YML', '\uFEFF' + JSON.stringify(expected)), expected)
  t.strictSame(await read(t, 'c.json', '\uFEFF' + JSON.stringify(expected)), expected)
  t.strictSame(await read(t, 'c.mjs', `export default ${JSON.stringify(expected)}`), expected)
  t.strictSame(await read(t, 'c.js', `module.exports = ${JSON.stringify(expected)}`), expected)
  t.strictSame(await read(t, 'd.mjs', `export default Promise.resolve(${JSON.stringify(expected)})`), expected, 'a promise is waited for')
})

t.test('an empty YAML file is an empty configuration', async t => {
  t.strictSame(await read(t, 'c.yaml', ''), {})
  t.strictSame(await read(t, 'c.yaml', '# nothing yet\n'), {})
})

t.test('every syntax error of YAML is told with its line', async t => {
  t.strictSame(await faults(t, 'c.yaml', 'server:\n  port: 1\n  port: 2\nmounts:\n\t- source: a\n'), [
    'Line 3, column 3: Map keys must be unique',
    'Line 5, column 1: Tabs are not allowed as indentation'
  ])
  t.match(await faults(t, 'c.yaml', 'a: [1, 2\nb: "open'), [/^Line 2, column \d+: /])
  t.match(await faults(t, 'c.yaml', 'a: 1\n---\nb: 2\n'), [/^Line 2, column 1: .*multiple documents/])
  t.match(await faults(t, 'c.yaml', '[a, b]: c\n'), [/^Line 1, column 1: .*keys must be strings/])
  t.match(await faults(t, 'c.yaml', 'a: !!js/function x\n'), [/^Line 1, column 4: Unresolved tag/])
})

t.test('an alias bomb is refused before it goes off', async t => {
  const levels = Array.from({ length: 9 }, (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(', ')}]`)
  const started = performance.now()
  t.match(await faults(t, 'c.yaml', `a0: &a0 [x]\n${levels.join('\n')}\n`), [/^It cannot be read: Excessive alias count/])
  t.ok(performance.now() - started < 5000)
  t.match(await faults(t, 'c.yaml', 'a: *nowhere\n'), [/Unresolved alias/])
})

t.test('nesting without end is a mistake and no crash', async t => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  t.equal((await faults(t, 'c.yaml', deep)).length, 1)
})

t.test('__proto__ in YAML is a key like any other', async t => {
  const value = await read(t, 'c.yaml', '__proto__: { listing: true }\n')
  t.strictSame(Object.keys(value as object), ['__proto__'])
})

t.test('malformed JSON is told with its line where the engine knows it', async t => {
  t.match(await faults(t, 'c.json', '{\n  "a": 1,\n}'), [/^Line 3, column 1: /])
  t.match(await faults(t, 'c.json', ''), [/^It cannot be read: Unexpected end of JSON input|^Line 1, column 1/])
  t.match(await faults(t, 'c.json', '{"a": oops}'), [/^It cannot be read: .*oops|^Line 1, column 7/])
})

t.test('a module that does not run is told with its line', async t => {
  t.match(await faults(t, 'c.mjs', 'const a = 1\n\nthrow new Error("no " + a)\n'), [/^Line 3: no 1$/])
  t.match(await faults(t, 'c.mjs', 'export default {\n  a: ,\n}\n'), [/Unexpected token/])
  t.match(await faults(t, 'c.mjs', 'throw "a text"\n'), [/^It cannot be run: a text$/])
  t.match(await faults(t, 'c.mjs', 'import "./gone.mjs"\n'), [/Cannot find module/])
})

t.test('a module without a default export is told so, whatever else it exports', async t => {
  t.strictSame(await faults(t, 'c.mjs', 'export const sources = {}\n'), ['It cannot be run: Expected a default export'])
  t.strictSame(await faults(t, 'c.mjs', 'export default undefined\n'), ['It cannot be run: Expected a default export'])
  t.type(await read(t, 'c.mjs', 'export default () => ({})\n'), 'function', 'the check of the whole refuses it')
})

t.test('a file that is not there, not readable, a directory or of another kind is told so', async t => {
  t.match(await faults(t, 'c.toml', 'a = 1'), ['Expected a name that ends in .yaml, .yml, .json, .js, .mjs'])
  const directory = await scratch(t, { 'closed.yaml': '' })
  await t.rejects(readConfig(join(directory, 'gone.yaml')), /It cannot be read: ENOENT/)
  await t.rejects(readConfig(join(directory, 'gone.mjs')), /It cannot be read: ENOENT/)
  await mkdir(join(directory, 'd.yaml'))
  await t.rejects(readConfig(join(directory, 'd.yaml')), /It cannot be read: EISDIR/)
  await chmod(join(directory, 'closed.yaml'), 0)
  if (process.getuid?.() !== 0) await t.rejects(readConfig(join(directory, 'closed.yaml')), /It cannot be read: EACCES/)
})
