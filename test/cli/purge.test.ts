import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import purge from '../../cli/purge.ts'
import { ask, scratch, type Answer } from '../helpers/app.ts'
import { picturesToServe, variantFiles } from '../helpers/images.ts'
import { childrenOf } from '../helpers/process-tree.ts'
import { origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'
import { run, runHere, serving } from './process.ts'

t.setTimeout(120_000)

const pictures = await picturesToServe()

/** A directory with a configuration of one mount at /photos. */
async function site (t: Test, { files = {}, ...images }: { files?: Record<string, Buffer>, [key: string]: unknown } = {}): Promise<string> {
  return await scratch(t, {
    'media/cat.jpg': pictures['cat.jpg'] as Buffer,
    'media/pets/my dog.png': pictures['logo.png'] as Buffer,
    ...files,
    'media.config.json': JSON.stringify({ sources: { files: { driver: 'file', root: 'media' } }, mounts: [{ prefix: '/photos', source: 'files' }], images: { workers: 1, ...images } })
  })
}

const cat = '/photos/cat.jpg?w=64'
const dog = '/photos/pets/my%20dog.png?w=64'

/** Makes a variant, if need be, and has it in memory. */
async function warmed (server: { port: number }, path: string): Promise<string> {
  await ask(server, path)
  const { headers } = await ask(server, path)
  if (headers['x-cache'] !== 'hit-memory') throw new Error(`Expected hit-memory for ${path} but received ${String(headers['x-cache'])}`)
  return headers.etag ?? ''
}

/** Waits until a server has kept so many variants: it answers before it has. */
async function kept (cwd: string, count: number): Promise<void> {
  await eventually(() => variantFiles(cwd).length === count)
}

/** Holds an answer to be new. */
function isNew (t: Test, { status, headers }: Answer, etag: string, message: string): void {
  t.match([status, headers['x-cache']], [200, 'made'], message)
  t.not(headers.etag, etag, message)
}

t.test('after a purge a running server gives nothing older, whatever it had in memory and whoever has the old tag', async t => {
  const cwd = await site(t)
  const server = await serving(t, [], { cwd })
  for (const [what, tag, reaches] of [
    ['/photos/cat.jpg?w=320', 'original:/photos/cat.jpg', [cat]],
    ['/photos/pets/', 'prefix:/photos/pets/', [dog]],
    ['*', '*', [cat, dog]]
  ] as const) {
    const etags: Record<string, string> = { [cat]: await warmed(server, cat), [dog]: await warmed(server, dog) }
    await kept(cwd, 2)
    t.same(await run(t, ['purge', what], { cwd }), { code: 0, signal: null, stderr: '', stdout: `Purged ${tag}: ${reaches.length} ${reaches.length === 1 ? 'variant' : 'variants'} removed\n` })
    for (const path of [cat, dog]) {
      const etag = etags[path] ?? ''
      const answer = await ask(server, path, { headers: { 'if-none-match': etag } })
      if (reaches.some(reached => reached === path)) isNew(t, answer, etag, `${path} after ${what}`)
      else t.match(answer, { status: 304 }, `${path} after ${what}`)
    }
  }
})

t.test('a purge reaches every server that shares the directory, those that are not running when they start', async t => {
  const cwd = await site(t)
  const [one, two] = await Promise.all([serving(t, [], { cwd }), serving(t, [], { cwd })])
  const etag = await warmed(one, cat)
  t.equal(await warmed(two, cat), etag)
  t.match(await run(t, ['purge', '/photos/cat.jpg'], { cwd }), { code: 0, stderr: '' })
  isNew(t, await ask(one, cat), etag, 'the first')
  t.not((await ask(two, cat)).headers.etag, etag, 'the second')

  const before = await warmed(one, cat)
  await kept(cwd, 1)
  for (const { child, ended } of [one, two]) {
    child.kill('SIGKILL')
    await ended
  }
  t.match(await run(t, ['purge', '/photos/cat.jpg'], { cwd }), { code: 0, stdout: 'Purged original:/photos/cat.jpg: 1 variant removed\n', stderr: '' }, 'nobody waits for the dead')
  isNew(t, await ask(await serving(t, [], { cwd }), cat), before, 'a server that starts later')
})

t.test('a variant that is being made during a purge is not given to who comes after it', { skip: process.platform === 'linux' ? false : 'the workers are found in /proc' }, async t => {
  const cwd = await site(t)
  const server = await serving(t, [], { cwd })
  await warmed(server, cat)
  await ask(server, dog, { method: 'HEAD' }) // from now on the server knows without waiting what is to be made
  await eventually(() => childrenOf(server.child.pid ?? 0).length === 1) // that which was asked at the start what it can do has left
  const [worker = 0] = childrenOf(server.child.pid ?? 0)
  process.kill(worker, 'SIGSTOP')
  let isDone = false
  const during = ask(server, dog).finally(() => { isDone = true })
  for (let later = 0; later < 5; later++) await ask(server, dog, { method: 'HEAD' }) // by then it was asked for
  t.match(await run(t, ['purge', '/photos/'], { cwd }), { code: 0 })
  t.equal(isDone, false)
  process.kill(worker, 'SIGCONT')
  t.match(await during, { status: 200 })
  isNew(t, await ask(server, dog), (await during).headers.etag ?? '', 'the next')
})

t.test('a server that takes no note is named, and the end is 1', async t => {
  const cwd = await site(t)
  const server = await serving(t, [], { cwd })
  const etag = await warmed(server, cat)
  await kept(cwd, 1)
  server.child.kill('SIGSTOP')
  const purged = await runHere(async () => await purge(['*', '--config', join(cwd, 'media.config.json')], { waitMs: 100 }))
  server.child.kill('SIGCONT')
  t.match(purged, { code: 1, stdout: 'Purged *: 1 variant removed\n' })
  t.match(purged.stderr, new RegExp(`^Not every server took note in time; these may still give what is older: ${server.child.pid}-\\w+\\n$`))
  let next = await ask(server, cat)
  await eventually(async () => {
    if (next.headers.etag === etag) next = await ask(server, cat)
    return next.headers.etag !== etag
  })
  isNew(t, next, etag, 'once it goes on it takes note')
})

t.test('a purge reaches every server that shares a Redis', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const cwd = await site(t, { cache: { redis: redis.url } })
  const [one, two] = await Promise.all([serving(t, [], { cwd }), serving(t, [], { cwd })])
  const etag = await warmed(one, cat)
  t.equal(await warmed(two, cat), etag)
  t.same(await run(t, ['purge', '/photos/'], { cwd }), { code: 0, signal: null, stderr: '', stdout: 'Purged prefix:/photos/: 1 variant removed\n' })
  isNew(t, await ask(one, cat, { headers: { 'if-none-match': etag } }), etag, 'the first')
  const second = await ask(two, cat, { headers: { 'if-none-match': etag } })
  t.match([second.status, second.headers['x-cache']], [200, 'hit-redis'], 'the second has what the first made anew')
})

t.test('what stands in the way of a purge is told, and the end is 1', async t => {
  const cwd = await site(t)
  t.match(await run(t, ['purge', '*'], { cwd }), { code: 1, stdout: '', stderr: /\.cache: No server keeps anything in this directory: nothing was purged/ })
  t.notOk((await readdir(cwd)).includes('.cache'), 'which stays as it is')

  const unwritable = await site(t, { files: { '.cache/purges/a': Buffer.alloc(0) } })
  await writeFile(join(unwritable, '.cache/tmp'), 'no directory')
  t.match(await purgeIn(unwritable, '*'), { code: 1, stdout: '', stderr: /\.cache: The purge could not be written down in the cache directory: E[A-Z]+: / })
  t.match(await purgeIn(await site(t, { cache: { diskBytes: 0 } }), '*'), { code: 1, stdout: '', stderr: /^Variants are kept in the memory of each server alone/ })
})

t.test('what is not understood ends with 2 and the usage, a mistake in the configuration with 1', async t => {
  t.match(await run(t, ['purge']), { code: 2, stdout: '', stderr: /^Expected what to purge[^]*Usage: fastify-media/ })
  for (const [args, message] of [
    [[''], /^Expected what to purge but received : A tag/],
    [['/photos/../cat.jpg'], /^Expected what to purge but received \/photos\/\.\.\/cat\.jpg: The path may not hold dot segments/],
    [['/100%.jpg'], /percent-encoded/],
    [['/a', '/b'], /^Expected one argument/],
    [['--all'], /^Unknown option '--all'/]
  ] as const) await t.rejects(purge([...args]), { name: 'UsageError', message }, args.join(' '))
  await t.rejects(purge(['*', '--config', join(await scratch(t), 'gone.json')]), { name: 'ConfigError', message: /gone\.json/ })
})

async function purgeIn (cwd: string, what: string): Promise<{ code: number, stdout: string, stderr: string }> {
  return await runHere(async () => await purge([what, '--config', join(cwd, 'media.config.json')]))
}

t.test('what is kept of origins is purged too, also where there are no variants', async t => {
  const far = await origin(t, (_request, response) => response.setHeader('cache-control', 'max-age=60').end('x'))
  const cwd = await scratch(t, { 'media.config.json': JSON.stringify({ upstreams: { assets: { origins: [{ url: far.url }] } }, mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets', sharedCache: {} }] }) })
  t.match(await run(t, ['purge', '*'], { cwd }), { code: 1, stderr: /No server keeps anything in this directory/ })
  const server = await serving(t, [], { cwd })
  for (let time = 0; time < 2; time++) await ask(server, '/cdn/x')
  t.equal(far.requests.length, 1)
  t.match(await run(t, ['purge', '/cdn/x'], { cwd }), { code: 0, stdout: /^Purged original:\/cdn\/x: \d answers? removed\n$/, stderr: '' })
  await ask(server, '/cdn/x')
  t.equal(far.requests.length, 2)
})
