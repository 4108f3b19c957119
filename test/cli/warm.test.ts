import { existsSync, readFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import warm from '../../cli/warm.ts'
import { ask, scratch } from '../helpers/app.ts'
import { picturesToServe, variantFiles } from '../helpers/images.ts'
import { drawn as draw } from '../helpers/pictures.ts'
import { childrenOf } from '../helpers/process-tree.ts'
import { eventually } from '../helpers/process.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'
import { cli, endsWithin, run, runHere, serving, start } from './process.ts'

t.setTimeout(120_000)

const pictures = await picturesToServe()
const { 'cat.jpg': cat = '', 'logo.png': logo = '', 'broken.jpg': broken = '' } = pictures

/** A directory with a configuration of one mount at /photos. */
async function site (t: Test, files: Record<string, Buffer | string>, images: Record<string, unknown> = {}, presets: Record<string, string> = { card: 'w=64&f=auto' }): Promise<string> {
  return await scratch(t, {
    ...Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`media/${name}`, bytes])),
    'media.config.json': JSON.stringify({ sources: { files: { driver: 'file', root: 'media' } }, mounts: [{ prefix: '/photos', source: 'files', images: { presets } }], images: { workers: 1, ...images } })
  })
}

/** Counts of a summary. */
function counts (text: string): { made: number, there: number, failed: number } {
  const [, made, there, failed] = /(\d+) variants? made, (\d+) there already, (\d+) failed/.exec(text) ?? []
  return { made: Number(made), there: Number(there), failed: Number(failed) }
}

/** So many files of one picture. */
function copies (count: number, picture: Buffer | string): Record<string, Buffer | string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${n}.jpg`, picture]))
}

const accept = { accept: 'image/avif,image/webp,*/*' }

t.test('what was made ahead is what a server that starts later serves, with the tag it would have had', async t => {
  const cwd = await site(t, { 'cat.jpg': cat, 'sub/my logo.png': logo, 'notes.txt': 'no picture', '.hidden.png': logo })
  t.same(await run(t, ['warm'], { cwd }), { code: 0, signal: null, stderr: '', stdout: '6 variants made, 0 there already, 0 failed; 1 file is no picture\n' })
  t.match(await run(t, ['warm', '--mount', '/photos/', '--preset', 'card', '--query', 'w=32', '--concurrency', '2'], { cwd }), { code: 0, stdout: /^2 variants made, 6 there already/ })

  // The same purges and no variants: what a server makes of itself.
  await cp(join(cwd, '.cache/purges'), join(cwd, 'other/purges'), { recursive: true })
  const [server, other] = await Promise.all([serving(t, [], { cwd }), serving(t, [], { cwd, env: { IMAGE_CACHE: 'other' } })])
  for (const path of ['/photos/cat.jpg?preset=card', '/photos/sub/my%20logo.png?w=64&f=auto', '/photos/cat.jpg?w=32']) {
    const warmed = await ask(server, path, { headers: accept })
    const made = await ask(other, path, { headers: accept })
    t.match([warmed.status, warmed.headers['x-cache'], made.headers['x-cache']], [200, 'hit-disk', 'made'], path)
    t.equal(warmed.headers.etag, made.headers.etag)
    t.same(warmed.body, made.body)
  }
})

t.test('a directory and a query do without a configuration', async t => {
  const cwd = await scratch(t, { 'a.png': logo, 'media.config.json': 'no JSON' })
  t.match(await run(t, ['warm', '.', '--query', 'w=64'], { cwd }), { code: 0, stdout: /^1 variant made/, stderr: '' })
  t.match((await ask(await serving(t, ['.'], { cwd }), '/a.png?w=64')).headers, { 'x-cache': 'hit-disk' })
})

t.test('killed in the midst, it goes on where it was', async t => {
  const cwd = await site(t, copies(12, cat), {}, { small: 'w=320', large: 'w=640&f=webp' })
  const killed = start(t, process.execPath, [cli, 'warm'], { cwd })
  await eventually(() => variantFiles(cwd).length >= 3)
  killed.child.kill('SIGKILL')
  await killed.ended
  const there = variantFiles(cwd).length
  const { code, stdout } = await run(t, ['warm'], { cwd })
  t.equal(code, 0)
  t.ok(there < 24, `${there} were there`)
  t.ok(counts(stdout).there >= there, stdout)
  t.equal(counts(stdout).made + counts(stdout).there, 24)
})

t.test('Ctrl-C stops it cleanly, says how far it was, and leaves no worker', async t => {
  const cwd = await site(t, copies(20, cat), {}, { small: 'w=320', large: 'w=640&f=avif' })
  const stopped = start(t, process.execPath, [cli, 'warm'], { cwd })
  await eventually(() => variantFiles(cwd).length >= 3)
  const workers = process.platform === 'linux' ? childrenOf(stopped.child.pid ?? 0) : []
  process.kill(-(stopped.child.pid ?? 0), 'SIGINT') // to the whole group, as a terminal does
  t.match(await endsWithin(stopped, 10_000), { code: 130 })
  t.match(stopped.stdout(), /^Stopped\. \d+ variants made, 0 there already, 0 failed; .* Run it again to go on\n$/)
  t.equal(stopped.stderr(), '')
  const { made } = counts(stopped.stdout())
  t.ok(made >= 2 && made < 40, `${made} were made`)
  for (const pid of workers) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

t.test('a picture that cannot be made is told with its reason, once, and the end is 1', async t => {
  const cwd = await site(t, { 'a\u202e\u009bb.jpg': broken, 'b.png': logo })
  const { code, stdout, stderr } = await run(t, ['warm'], { cwd })
  t.match({ code, stdout }, { code: 1, stdout: '3 variants made, 0 there already, 3 failed; 0 files are no pictures\n' })
  t.match(stderr, /^\/photos\/a\uFFFD\uFFFDb\.jpg: [^\n]+\n$/, 'and of its name nothing that would steer the terminal')
  t.notMatch(stderr, cwd, 'without a path of the machine')
})

t.test('a terminal sees a bar that is drawn over', { skip: existsSync('/usr/bin/script') ? false : 'script (Debian package bsdutils) is not installed' }, async t => {
  const cwd = await site(t, { ...copies(20, cat), 'broken.jpg': broken }, {}, { card: 'w=320' })
  const shown = start(t, '/usr/bin/script', ['-qec', `stty cols 40; ${process.execPath} ${cli} warm`, '/dev/null'], { cwd })
  t.match(await shown.ended, { code: 1 })
  const drawn = shown.stdout().split('\r\u001b[K')
  t.ok(drawn.some(line => /^\[[#.]{20}\] \d+\/21 files/.test(line)), shown.stdout())
  t.ok(drawn.some(line => /^\/photos\/broken\.jpg: [^\r\n]+\r\n$/.test(line)), 'what failed stands above it')
  t.equal(drawn.at(-1), '20 variants made, 0 there already, 1 failed; 0 files are no pictures\r\n')
  for (const line of drawn) if (line.startsWith('[')) t.ok(line.length < 40, 'no line wraps')
})

t.test('variants are made ahead into a Redis too', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const cwd = await site(t, { 'cat.jpg': cat }, { cache: { redis: redis.url } })
  t.match(await run(t, ['warm'], { cwd }), { code: 0, stdout: /^3 variants made/, stderr: '' })
  t.match((await ask(await serving(t, [], { cwd }), '/photos/cat.jpg?preset=card', { headers: accept })).headers, { 'x-cache': 'hit-redis' })
})

t.test('what is not understood ends with 2 and the usage, what cannot be made with 1 and the reason', async t => {
  const cwd = await site(t, { 'cat.jpg': cat })
  const config = join(cwd, 'media.config.json')
  t.match(await run(t, ['warm', '--concurrency', '0']), { code: 2, stdout: '', stderr: /^Expected --concurrency to be a number from 1 to 256 but received 0\n[^]*Usage: fastify-media/ })
  t.match(await run(t, ['warm', '--preset', 'crad'], { cwd }), { code: 1, stdout: '', stderr: 'There is no preset crad. Did you mean card?\n' })
  for (const [args, message] of [
    [['--concurrency', '257'], /^Expected --concurrency/],
    [['.', '--config', 'x.json'], /^Expected either a directory or --config but received both$/],
    [['--quick'], /^Unknown option '--quick'/]
  ] as const) await t.rejects(warm([...args]), { name: 'UsageError', message }, args.join(' '))
  for (const [args, message] of [
    [['--config', config, '--query', 'w=abc'], /^w=abc at \/photos: w: Expected [^\n]+\n$/],
    [[cwd], /^There are no presets: say what is to be made with a query/]
  ] as const) t.match(await runHere(async () => await warm([...args])), { code: 1, stdout: '', stderr: message }, args.join(' '))
})

t.test('many large pictures take no more memory than a few', { skip: process.platform === 'linux' ? false : 'memory is read in /proc' }, async t => {
  const large = await draw(2000, 1500).jpeg({ quality: 95 }).toBuffer()
  const padded = Buffer.concat([large, Buffer.alloc(4e6)]) // what stands behind a picture is read with it
  const few = await peakOfWarming(t, copies(3, padded))
  const many = await peakOfWarming(t, copies(40, padded))
  t.ok(few > 0 && many < few + 37 * padded.length / 2, `${Math.round(few / 1e6)} and ${Math.round(many / 1e6)} MB`)
})

/** The most bytes that the command had in memory while it made a variant of each file. */
async function peakOfWarming (t: Test, files: Record<string, Buffer | string>): Promise<number> {
  const cwd = await site(t, files, {}, { small: 'w=100' })
  const running = start(t, process.execPath, [cli, 'warm'], { cwd })
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, peakOf(running.child.pid)) }, 20)
  t.match(await running.ended, { code: 0 })
  clearInterval(watch)
  t.match(running.stdout(), new RegExp(`^${Object.keys(files).length} variants made`))
  return most
}

/** The most bytes that a process had in memory so far; 0 where it has ended, and has none. */
function peakOf (pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
