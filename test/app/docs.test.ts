import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../lib/config/load.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { Config } from '../../lib/config/schema.ts'
import { advice, failures } from '../../lib/errors.ts'
import { operationNames, operations } from '../../lib/transform/operations.ts'
import { root } from '../cli/process.ts'
import { scratch } from '../helpers/app.ts'

interface Generator {
  generatedFiles: () => Record<string, string>
  editorSchema: () => object
}

const { generatedFiles, editorSchema } = await import(new URL('../../docs/generate.mjs', import.meta.url).href) as Generator
/** Of docs/transform-pictures.mjs. */
interface Pictures {
  madeOf: (name: string) => string
  digestOfPicture: (name: string) => string | undefined
  readManifest: () => Record<string, { of: string, picture: string }>
}

const { madeOf, digestOfPicture, readManifest } = await import(new URL('../../docs/transform-pictures.mjs', import.meta.url).href) as Pictures
const example = join(root, 'examples/media.config.yaml')

t.test('the generated files are what would be written now', async t => {
  for (const [path, text] of Object.entries(generatedFiles())) {
    t.equal(await readFile(join(root, path), 'utf8'), text, `${path}: npm run generate`)
  }
})

t.test('the schema that is built is the schema', async t => {
  const built = await import(new URL('../../dist/lib/config/schema.js', import.meta.url).href) as { Config: unknown }
  t.strictSame(built.Config, JSON.parse(JSON.stringify(Config)))
})

t.test('every option has a description, and every text of a form an example that has it', t => {
  interface Node { description?: string, properties?: Record<string, Node>, items?: Node, oneOf?: Node[], patternProperties?: Record<string, Node>, pattern?: string, examples?: unknown[] }
  const visit = (node: Node, path: string): void => {
    if (node.pattern !== undefined) t.match(node.examples?.[0], new RegExp(node.pattern, 'u'), path)
    for (const pattern of Object.keys(node.patternProperties ?? {})) t.match(Object.keys(node.examples?.[0] as object)[0], new RegExp(pattern, 'u'), path)
    for (const [key, option] of Object.entries(node.properties ?? {})) {
      t.ok(option.description, `${path}.${key}`)
      visit(option, `${path}.${key}`)
    }
    for (const below of [node.items, ...node.oneOf ?? [], ...Object.values(node.patternProperties ?? {})]) if (below !== undefined) visit(below, `${path}[]`)
  }
  visit(Config as Node, '')
  t.end()
})

t.test('every failure has its row, with advice', t => {
  const page = generatedFiles()['docs/errors.md'] ?? ''
  for (const [code, [status, title]] of Object.entries(failures)) {
    t.ok(page.includes(`| \`${code}\` | ${status} | ${title} | ${advice[code as keyof typeof advice].replaceAll('|', '\\|')} |`), code)
  }
  t.end()
})

t.test('every operation has its section, with its names and what it expects', t => {
  const page = generatedFiles()['docs/transforms.md'] ?? ''
  for (const name of operationNames) {
    const { aliases, argument, doc, example } = operations[name]
    const section = page.split('\n### ').find(text => text.startsWith(`\`${name}\``)) ?? ''
    for (const text of [...aliases.map(alias => `\`${alias}\``), doc, argument.expected, `\`?${example}\``]) t.ok(section.includes(text), `${name}: ${text}`)
  }
  t.end()
})

t.test('every operation has the picture that was made of its example', t => {
  const manifest = readManifest()
  t.same(Object.keys(manifest), operationNames)
  for (const name of operationNames) t.same(manifest[name], { of: madeOf(name), picture: digestOfPicture(name) }, `${name}: node docs/transform-pictures.mjs ${name}`)
  t.end()
})

t.test('the example configuration holds, for the server and for an editor', async t => {
  const { config } = await loadConfig({ cwd: root, environment: {}, file: example, fallback: {} })
  t.match(config.mounts.map(({ prefix }) => prefix), ['/pictures', '/app', '/'])
  t.match(config.sources, { media: { root: join(dirname(example), 'media') } })

  const text = await readFile(example, 'utf8')
  t.match(text, /^# yaml-language-server: \$schema=\.\.\/media\.config\.schema\.json\n/)
  const schema = editorSchema()
  t.notMatch(JSON.stringify(schema), /"env"|"discriminator"/)
  const validate = new Ajv({ allErrors: true, strict: true }).compile(schema)
  t.equal(validate(parse(text)), true, JSON.stringify(validate.errors))
  t.equal(validate({}), true, 'what has a default may be left out')
  for (const wrong of [{ mount: [] }, { mounts: [{}] }, { sources: { a: { driver: 'flie', root: '/' } } }, { server: { port: 'http' } }]) t.equal(validate(wrong), false)
})

t.test('the README\'s configuration holds, and so does its program', async t => {
  const readme = readFileSync('README.md', 'utf8')
  const directory = await scratch(t, { 'pictures/a.txt': 'a', 'archive/b.txt': 'b', 'site/index.html': 'i' })
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  t.ok(yaml.split('\n').length <= 26, 'about twenty lines')
  writeFileSync(join(directory, 'media.config.yaml'), yaml)
  const { config } = await loadConfig({ cwd: directory, environment: { ARCHIVE_DIR: join(directory, 'archive') }, fallback: {} })
  t.equal(config.mounts.length, 2)
  const program = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const options = /app\.register\(media, (\{[\s\S]*?\n\})\)/.exec(program)?.[1] ?? ''
  const written = parse(options.replaceAll(/'/g, '"')) as Record<string, unknown>
  t.equal(written.prefix, '/media')
  const { prefix: _prefix, ...inline } = written
  t.ok(await resolveConfig(inline, { base: directory }))
})
