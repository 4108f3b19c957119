import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname ?? '.', '../..')
const folders = ['lib', 'plugins', 'routes', 'cli']
const files = [
  'app.ts', 'server.ts',
  ...folders.flatMap(folder => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).map(name => join(folder, name)))
]

interface Import { from: string, to: string, typeOnly: boolean }

const text = (file: string): string => readFileSync(join(root, file), 'utf8')
const code = (file: string): string => text(file).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')

function importsOf (file: string): Import[] {
  const found = code(file).matchAll(/(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g)
  return [...found].map(match => {
    const name = match[2] ?? match[3] ?? match[4] ?? ''
    const to = name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)) : name
    return { from: file, to, typeOnly: match[1] !== undefined }
  })
}

const imports = files.flatMap(importsOf)
const room = (file: string): string => folders.find(folder => file.startsWith(`${folder}/`)) ?? file

t.test('there is something to check', t => {
  t.ok(files.length > 40)
  t.ok(imports.some(({ from, to }) => from === 'app.ts' && to === 'plugins/errors.ts'))
  t.end()
})

t.test('imports go one way: server, cli → app → routes, plugins → lib', t => {
  const allowed: Record<string, string[]> = {
    lib: ['lib'],
    plugins: ['lib'],
    routes: ['lib', 'routes'],
    'app.ts': ['lib', 'plugins', 'routes'],
    'server.ts': ['lib', 'plugins', 'app.ts'],
    cli: ['lib', 'cli', 'server.ts', 'app.ts']
  }
  for (const { from, to, typeOnly } of imports) {
    if (!files.includes(to)) continue
    // A plugin's types are how decorators are known: that is a dependency by name, not by code.
    const byDecorator = (room(from) === 'plugins' || room(from) === 'routes') && room(to) === 'plugins'
    if (byDecorator) t.ok(typeOnly || code(from).includes(`import './${to.split('/')[1]}'`) || code(from).includes(`import '../${to}'`), `${from} → ${to} only for its types`)
    else t.ok(allowed[room(from)]?.includes(room(to)), `${from} → ${to}`)
  }
  t.end()
})

t.test('no circle of imports, not even of types', t => {
  const edges = new Map<string, string[]>()
  for (const { from, to } of imports) if (files.includes(to)) edges.set(from, [...edges.get(from) ?? [], to])
  const done = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    if (path.includes(file)) t.fail(`circle: ${[...path, file].join(' → ')}`)
    if (done.has(file) || path.includes(file)) return
    for (const next of edges.get(file) ?? []) walk(next, [...path, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
  t.equal(done.size, files.length)
  t.end()
})

t.test('lib knows neither Fastify nor the process', t => {
  for (const { from, to } of imports) if (room(from) === 'lib') t.notMatch(to, /^fastify|^@fastify\//, `${from} → ${to}`)
  for (const file of files.filter(name => room(name) === 'lib')) t.notMatch(code(file), /process\.(?:env|cwd|exit|argv)/, file)
  t.end()
})

t.test('plugins have no URLs, routes have no hooks and no decorators', t => {
  for (const file of files.filter(name => room(name) === 'plugins')) {
    t.notMatch(code(file), /\.(?:route|get|post|put|delete|all)\(\s*[{'`]/, `${file} declares no route`)
    t.notMatch(code(file), /'\/[a-z_]+/i, `${file} spells no URL`)
  }
  for (const file of files.filter(name => room(name) === 'routes')) t.notMatch(code(file), /\.(?:addHook|decorate\w*)\(/, file)
  t.end()
})

t.test('a mount\'s bytes leave through one place, and only the server ends the process', t => {
  for (const file of files) {
    if (file !== 'server.ts') t.notMatch(code(file), /process\.exit\(/, file)
    if (room(file) === 'lib') t.notMatch(code(file), /\breply\b/, `${file}: libraries describe, plugins perform`)
    t.notMatch(code(file), /createReadStream/, file)
  }
  t.end()
})

t.test('plugins name what they need', t => {
  const decorators = files.filter(name => room(name) === 'plugins').flatMap(file => [...code(file).matchAll(/decorate(?:Request|Reply)?\('(\w+)'/g)].map(match => [match[1] ?? '', file] as const))
  t.ok(decorators.length > 6)
  for (const file of files.filter(name => room(name) === 'plugins')) {
    t.match(code(file), /name: 'fastify-media-[a-z-]+'/, file)
    if (file === 'plugins/telemetry.ts') continue // says more where the others are there, and works without
    for (const [decorator, plugin] of decorators) {
      if (plugin === file || !new RegExp(`(?:request|reply|app|this)\\??\\.${decorator}\\b`).test(code(file))) continue
      const isOptional = decorator === 'representation'
      if (!isOptional) t.ok(code(file).includes(`'fastify-media-${plugin.slice(8, -3)}'`), `${file} uses ${decorator}, so it declares ${plugin}`)
    }
  }
  t.end()
})

t.test('every hook and handler is a named function', t => {
  for (const file of files.filter(name => ['plugins', 'routes', 'app.ts'].includes(room(name)))) {
    t.notMatch(code(file), /addHook\(\s*'\w+',\s*(?:async\s*)?(?:\(|function\s*\()/, file)
    t.notMatch(code(file), /handler:\s*(?:async\s*)?(?:\(|function\s*\()/, file)
  }
  t.end()
})
