import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { hostProgram, misuse, program, rootAlone } from '../cli/consumer.ts'
import { root, start } from '../cli/process.ts'
import { ask, scratch } from '../helpers/app.ts'
import { freePort } from '../helpers/process.ts'

t.setTimeout(120_000)

const run = promisify(execFile)

interface Manifest {
  version: string
  type: string
  bin: Record<string, string>
  exports: Record<string, string | Record<string, string>>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
}

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest

/** Packs the checkout, and unpacks it into a project that sees what the manifest promises, and no more. */
async function project (t: Test): Promise<string> {
  const directory = await scratch(t, {
    'package.json': '{"name": "consumer", "private": true, "type": "module"}',
    'program.ts': program,
    'misuse.ts': misuse,
    'host.ts': hostProgram,
    'alone/alone.ts': rootAlone,
    'files/a.txt': 'meow'
  })
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], { cwd: root })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  const modules = join(directory, 'node_modules')
  await mkdir(modules)
  await run('tar', ['-xzf', join(directory, filename), '-C', modules])
  await run('mv', [join(modules, 'package'), join(modules, 'fastify-media')])
  for (const name of [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), 'typescript', '@types/node']) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  return directory
}

async function compile (directory: string, module: 'nodenext' | 'bundler', include = '*.ts'): Promise<string> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    module: module === 'bundler' ? 'esnext' : module,
    moduleResolution: module,
    rootDir: '.',
    outDir: 'out'
  }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: [include] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return await run('env', ['-u', 'NODE_OPTIONS', process.execPath, tsc, '-p', directory], { cwd: directory }).then(() => '', (error: { stdout: string }) => error.stdout)
}

const directory = await project(t)
const installed = join(directory, 'node_modules/fastify-media')

t.test('the package holds what its manifest names, types first, and nothing of the tests', async t => {
  const files = (await readdir(installed, { recursive: true })).filter(name => !name.startsWith('dist'))
  t.ok(files.includes('web/listing.css'))
  t.ok(files.some(name => name.startsWith('examples/media/')))
  t.notOk(files.some(name => /^(?:test|bench)\/|node_modules|\.env|\.ts$/.test(name)), files.join(' '))
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') t.ok(await readFile(join(installed, target)), subpath)
    else {
      t.strictSame(Object.keys(target), ['types', 'default'], subpath)
      for (const file of Object.values(target)) t.ok(await readFile(join(installed, file)), file)
    }
  }
})

t.test('every plugin has an export of its own', async t => {
  const names = (await readdir(join(root, 'plugins'))).map(name => `./plugins/${name.replace(/\.ts$/, '')}`)
  t.strictSame(Object.keys(manifest.exports).filter(subpath => subpath.startsWith('./plugins/')).toSorted(), names.toSorted())
})

t.test('no declaration imports a file that ends in .ts', async t => {
  for (const name of await readdir(join(installed, 'dist'), { recursive: true })) {
    if (name.endsWith('.d.ts')) t.notMatch(await readFile(join(installed, 'dist', name), 'utf8'), /['"]\.{1,2}\/[^'"]*\.ts['"]/, name)
  }
})

t.test('a program that uses every export passes a strict check, as nodenext and as bundler', async t => {
  t.equal(await compile(directory, 'bundler'), '')
  t.equal(await compile(directory, 'nodenext'), '')
})

t.test('the root app alone brings the types of what it adds to requests', async t => {
  t.equal(await compile(directory, 'bundler', 'alone/*.ts'), '')
  t.equal(await compile(directory, 'nodenext', 'alone/*.ts'), '')
})

t.test('and runs', async t => {
  const running = start(t, process.execPath, ['out/program.js'], { cwd: directory })
  t.match(await running.ended, { code: 0 }, running.stderr())
  const answers = JSON.parse(running.stdout()) as Record<string, unknown>
  t.match(answers, {
    file: { status: 200, text: 'meow', headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'public, max-age=3600', 'x-content-type-options': 'nosniff' } },
    listing: { status: 200, text: /"a\.txt"/ },
    missing: { status: 404, text: /"code":"not-found"/ },
    range: { status: 206, text: 'memory', headers: { 'content-range': 'bytes 5-10/11' } },
    notModified: { status: 304, text: '', headers: { etag: '"v1"' } },
    served: { status: 200, text: 'from memory', headers: { 'access-control-allow-origin': 'https://a.example.com', 'cross-origin-resource-policy': 'same-site', 'cache-control': 'public, max-age=300', 'server-timing': /./ } },
    proxied: { status: 200, text: 'upstream-refused' },
    elsewhere: { status: 302, location: 'https://cdn.example.com/x' },
    facts: { status: 200, headers: { etag: /^W\// } },
    nobody: { status: 401, text: /"code":"unauthorized"/, headers: { 'www-authenticate': 'Bearer realm="fastify-media", SignedURL realm="fastify-media"' } },
    machine: { status: 200, text: /"strategy":"machines","name":"build"/, headers: { 'cache-control': 'private', 'ratelimit-policy': '"addresses";q=1000;w=60, "principals";q=1;w=60' } },
    link: { status: 200, text: /"strategy":"links","name":"a".*"signed":true,"url":"\/protected\/who\?x=1"/ },
    guest: { status: 200, text: /"name":"ann"/, headers: { vary: 'X-API-Key, Authorization, X-Guest' } },
    guestAgain: { status: 429, headers: { 'retry-after': /^\d+$/ } },
    weak: 'has 5 bytes, fewer than 32',
    startServer: 'function',
    picture: '/media/pictures/my%20cat.jpg?w=320&fit=cover&bri=20&f=auto',
    warmed: { made: 0, there: 0, failed: 0, picture: 0, 'no-picture': 1 },
    purged: { tag: 'prefix:/pictures/', found: 0, behind: [] },
    schema: 'fastify-media configuration'
  })
  t.strictSame(JSON.parse((answers.facts as { text: string }).text), { address: '203.0.113.5', base: 'https://cdn.example.com', ready: true })
})

t.test('the app of docs/security.md protects its own routes', async t => {
  const port = await freePort()
  const [session, key] = [randomBytes(24).toString('base64url'), `fm_${randomBytes(32).toString('base64url')}`]
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
  const running = start(t, process.execPath, ['out/host.js'], { cwd: directory, env: { PORT: String(port), SESSION_HASH: sha256(session), MACHINE_KEY_HASH: `sha256:${sha256(key)}` } })
  await running.says(/Server listening/)
  const cookie = { headers: { cookie: `theme=dark; session=${session}` } }
  t.match(await ask({ port }, '/reports/mine', cookie), { status: 200, text: '{"name":"ann"}', headers: { vary: /Cookie/, ratelimit: /"addresses".*"principals"/ } })
  t.match(await ask({ port }, '/reports/mine', { headers: { 'x-api-key': key } }), { status: 200, text: '{"name":"build"}' })
  t.match(await ask({ port }, '/reports/mine'), { status: 401, headers: { 'www-authenticate': 'Session realm="reports", Bearer realm="fastify-media"' } })
  t.match(await ask({ port }, '/reports/mine', { headers: { cookie: `session=${'x'.repeat(32)}` } }), { status: 401 })
  t.match(await ask({ port }, '/reports/mine', { method: 'POST', ...cookie }), { status: 200, text: '{"taken":true}' })
  t.match(await ask({ port }, '/reports/mine', { method: 'POST', headers: { 'x-api-key': key } }), { status: 401, headers: { 'www-authenticate': 'Session realm="reports"' } }, 'a key may not write')
  t.match(await ask({ port }, '/reports/missing'), { status: 401 })
  t.match(await ask({ port }, '/reports/missing', cookie), { status: 404 })
  t.notMatch(running.stdout(), new RegExp(`${session}|${key}`))
})

t.test('the installed program runs', async t => {
  const { stdout } = await run(process.execPath, [join(installed, manifest.bin['fastify-media'] as string), '--version'])
  t.equal(stdout, `${manifest.version}\n`)
})

t.test('publint has nothing to say', async t => {
  const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', process.execPath, join(root, 'node_modules/publint/src/cli.js'), '--strict', installed]).catch((error: { stdout: string }) => error)
  t.match(stdout, /All good!/)
})
