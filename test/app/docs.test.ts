import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'
import { orderMistakes } from '../../lib/access/order-mistakes.ts'
import type { PrintedRoute } from '../../lib/access/printed-routes.ts'
import { secretMistake } from '../../lib/access/secrets.ts'
import { loadConfig } from '../../lib/config/load.ts'
import type { ConfigError } from '../../lib/config/mistakes.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { Config } from '../../lib/config/schema.ts'
import { advice, failures } from '../../lib/errors.ts'
import { operationNames, operations } from '../../lib/transform/operations.ts'
import { root } from '../cli/process.ts'
import { scratch } from '../helpers/app.ts'

interface Generator {
  generatedFiles: () => Promise<Record<string, string>>
  editorSchema: () => object
}

const { generatedFiles, editorSchema } = await import(new URL('../../docs/generate.mjs', import.meta.url).href) as Generator
const generated = await generatedFiles()
const { rowsOf } = await import(new URL('../../docs/hook-order.mjs', import.meta.url).href) as { rowsOf: (hooks: Record<string, string[]>) => string[] }
/** Of docs/transform-pictures.mjs. */
interface Pictures {
  madeOf: (name: string) => string
  digestOfPicture: (name: string) => string | undefined
  readManifest: () => Record<string, { of: string, picture: string }>
}

const { madeOf, digestOfPicture, readManifest } = await import(new URL('../../docs/transform-pictures.mjs', import.meta.url).href) as Pictures
const example = join(root, 'examples/media.config.yaml')
const accessExample = join(root, 'examples/access.config.yaml')
/** Variables that the examples of access rules name. */
const variables = { JWT_SECRET: randomBytes(48).toString('base64'), SIGNING_SECRET: randomBytes(48).toString('base64'), MACHINE_KEY_HASH: `sha256:${randomBytes(32).toString('hex')}`, POLICY_URL: 'http://127.0.0.1:8181/v1/data/media/allow' }
const securityPage = readFileSync('docs/security.md', 'utf8')

t.test('the generated files are what would be written now', async t => {
  for (const [path, text] of Object.entries(generated)) {
    t.equal(await readFile(join(root, path), 'utf8'), text, `${path}: npm run generate`)
  }
})

t.test('a hook that nobody wrote a sentence about has no place in the order', t => {
  t.same(rowsOf({ onSend: ['keepPrivate'], onRequest: ['authenticate', 'limitPrincipal'] }).map(row => row.split(' | ').slice(0, 3).join(' ')), ['| 1 onRequest `authenticate`', '| 2 onRequest `limitPrincipal`', '| 3 onSend `keepPrivate`'])
  t.throws(() => rowsOf({ onRequest: ['peep'] }), { message: 'docs/hook-order.mjs has no sentence for the hook peep' })
  t.throws(() => rowsOf({ onRequest: ['constructor'] }), { message: /no sentence/ })
  t.throws(() => rowsOf({ onTea: ['authenticate'] }), { message: 'docs/hook-order.mjs does not know when onTea runs' })
  t.end()
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
  const page = generated['docs/errors.md'] ?? ''
  for (const [code, [status, title]] of Object.entries(failures)) {
    t.ok(page.includes(`| \`${code}\` | ${status} | ${title} | ${advice[code as keyof typeof advice].replaceAll('|', '\\|')} |`), code)
  }
  t.end()
})

t.test('every operation has its section, with its names and what it expects', t => {
  const page = generated['docs/transforms.md'] ?? ''
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

t.test('the example of access rules holds, for the server and for an editor', async t => {
  const { config } = await loadConfig({ cwd: root, environment: variables, file: accessExample, fallback: {} })
  t.match(config.mounts.map(({ prefix }) => prefix), ['/staff', '/links', '/gallery', '/policy', '/machines', '/'])
  const text = await readFile(accessExample, 'utf8')
  t.match(text, /^# yaml-language-server: \$schema=\.\.\/media\.config\.schema\.json\n/)
  const validate = new Ajv({ allErrors: true, strict: true }).compile(editorSchema())
  t.equal(validate(parse(text)), true, JSON.stringify(validate.errors))
  await t.rejects(loadConfig({ cwd: root, environment: { ...variables, JWT_SECRET: 'your-256-bit-secret' }, file: accessExample, fallback: {} }), { message: /strategies\.staff\.key: .*everybody has.*\(from JWT_SECRET\)/ })
})

t.test('every configuration of the page on security holds, and so does that of the README', async t => {
  const directory = await scratch(t, { 'media/a.txt': 'a' })
  const [, readme = ''] = /## Who may do what\n[^]*?```yaml\n([^]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? []
  const blocks = [...securityPage.matchAll(/```yaml\n([^]*?)```/g)].map(([, block]) => block ?? '')
  t.ok(blocks.length >= 8)
  const read = [...blocks, readme].map(block => parse(block) as { strategies?: Record<string, unknown>, upstreams?: Record<string, unknown>, mounts?: Array<{ prefix: string }> })
  const strategies = Object.assign({}, ...read.map(block => block.strategies)) as Record<string, unknown>
  const upstreams = Object.assign({}, ...read.map(block => block.upstreams)) as Record<string, unknown>
  for (const block of read) {
    const { mounts = [] } = block
    const machines = mounts.some(({ prefix }) => prefix === '/machines') ? [] : [{ prefix: '/machines', source: 'media' }]
    t.ok(await resolveConfig({ sources: { media: { driver: 'file', root: 'media' } }, ...block, upstreams, strategies: { ...strategies, ...block.strategies }, mounts: [...mounts, ...machines] }, { base: directory, environment: variables, interpolates: true }))
  }
})

t.test('every secret that stands in a document is none', async t => {
  const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...(await readdir(join(root, 'docs'))).filter(name => name.endsWith('.md')).map(name => `docs/${name}`), ...(await readdir(join(root, 'examples'))).filter(name => name.endsWith('.yaml')).map(name => `examples/${name}`)]
  let found = 0
  for (const document of documents) {
    for (const [, value = ''] of readFileSync(document, 'utf8').matchAll(/\b(?:secret|key)["']?: *["']?([^\s"',}]+)/g)) {
      found++
      if (!/^\$\{\w+$/.test(value)) t.ok(secretMistake(value), `${document}: ${value}`)
    }
  }
  t.ok(found >= 4)
})

t.test('each sentence that the page on security quotes is told at the start', async t => {
  const base = await scratch(t)
  const secret = variables.SIGNING_SECRET
  const staff = { driver: 'jwt', algorithms: ['HS256'], key: variables.JWT_SECRET }
  const links = (text: string): object => ({ links: { driver: 'signed', keys: [{ id: 'a', secret: text }] } })
  const configured: Array<[strategies: object, mount: object]> = [
    [links(secret), { access: { write: 'public' } }],
    [links(secret), { cors: { origins: ['*'], credentials: true } }],
    [links(secret.slice(0, 12)), {}],
    [links('change-me-change-me-change-me-change-me'), {}],
    [{ staff: { ...staff, algorithms: ['HS256', 'RS256'] } }, {}],
    [{ links: { driver: 'signed', mode: 'report-only', keys: [{ id: 'a', secret }] } }, { access: { write: 'links' } }],
    [links(secret), { source: undefined, delivery: 'proxy', upstream: 'far', sharedCache: {}, access: { read: 'links', passCredentials: true } }],
    [{ staff }, { access: { read: 'stuff' } }],
    [{ staff }, { rateLimit: { principals: {} } }]
  ]
  const told: string[] = []
  for (const [strategies, mount] of configured) {
    const { mistakes = [] } = await resolveConfig({ sources: { files: { driver: 'file', root: '.' } }, upstreams: { far: { origins: [{ url: 'http://127.0.0.1:1' }] } }, strategies, mounts: [{ source: 'files', ...mount }] }, { base }).catch((error: unknown) => error) as Partial<ConfigError>
    t.equal(mistakes.length, 1)
    told.push(...mistakes.map(({ path, message }) => `${path}: ${message}`))
  }
  const route = (url: string, hooks: string[], method = 'GET'): PrintedRoute => ({ url, methods: [method], hooks: { onRequest: hooks } })
  const routes = [route('/private/debug', []), route('/private/*', ['authenticate', 'handleCors']), route('/private/*', ['limitPrincipal', 'authenticate']), route('/private/upload', ['authenticate'], 'POST')]
  told.push(...orderMistakes(routes, { name: '/private', prefix: '/private', others: [], except: [], own: new Set(), refused: new Set(), foldsCase: false, isPublic: () => true }))
  const quoted = [...(securityPage.split('## What is checked at the start')[1] ?? '').matchAll(/^\| [^|]* \| `([^`]+)` \|$/gm)].map(([, sentence]) => sentence)
  t.same(quoted, told)
})

t.test('every test that a page names is there', t => {
  const named = [...new Set((securityPage + readFileSync('docs/life-of-a-request.md', 'utf8')).match(/test\/[\w./-]+\.test\.ts/g) ?? [])]
  t.ok(named.length > 15)
  for (const name of named) t.ok(existsSync(join(root, name)), name)
  t.end()
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
