import { existsSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { drawn as draw, picturesToServe } from '../helpers/images.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'
import { cli, endsWithin, eventually, run, serving, start } from './process.ts'

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

const accept = { accept: 'image/avif,image/webp,*/*' }

t.test('what was made ahead is what a server that starts later serves, with the tag it would have had', async t => {
  const cwd = await site(t, { 'cat.jpg': cat, 'sub/my logo.png': logo, 'notes.txt': 'no picture', '.hidden.png': logo })
  t.same(await run(t, ['warm'], { cwd }), { code: 0, signal: null, stderr: '', stdout: '6 variants made, 0 there already, 0 failed; 1 file is no picture\n' })
  t.match(await run(t, ['warm', '--mount', '/photos/', '--preset', 'card', '--query', 'w=32', '--concurrency', '2'], { cwd }), { code: 0, stdout: /^2 variants made, 6 there already/ })

  // The same purges and no variants: what a server makes of itself.
  await cp(join(cwd, '.cache/purges'), join(cwd, 'other/purges'), { recursive: true })
  const [server, other] = [await serving(t, [], { cwd }), await serving(t, [], { cwd, env: { IMAGE_CACHE: 'other' } })]
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
  const cwd = await site(t, Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`${n}.jpg`, cat])), {}, { small: 'w=320', large: 'w=640&f=webp' })
  const killed = start(t, process.execPath, [cli, 'warm'], { cwd })
  await eventually(async () => await keptIn(cwd) >= 5)
  killed.child.kill('SIGKILL')
  await killed.ended
  const there = await keptIn(cwd)
  const { code, stdout } = await run(t, ['warm'], { cwd })
  t.equal(code, 0)
  t.ok(there < 60, `${there} were there`)
  t.ok(counts(stdout).there >= there, stdout)
  t.equal(counts(stdout).made + counts(stdout).there, 60)
})

t.test('Ctrl-C stops it cleanly, says how far it was, and leaves no worker', async t => {
  const cwd = await site(t, Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`${n}.jpg`, cat])), {}, { small: 'w=320', large: 'w=640&f=avif' })
  const stopped = start(t, process.execPath, [cli, 'warm'], { cwd })
  await eventually(async () => await keptIn(cwd) >= 5)
  const workers = process.platform === 'linux' ? await childrenOf(stopped.child.pid) : []
  process.kill(-(stopped.child.pid ?? 0), 'SIGINT') // to the whole group, as a terminal does
  t.match(await endsWithin(stopped, 10_000), { code: 130 })
  t.match(stopped.stdout(), /^Stopped\. \d+ variants made, 0 there already, 0 failed; .* Run it again to go on\n$/)
  t.equal(stopped.stderr(), '')
  const { made } = counts(stopped.stdout())
  t.ok(made >= 4 && made < 80)
  for (const pid of workers) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  t.equal(counts((await run(t, ['warm', '--preset', 'small'], { cwd })).stdout).failed, 0)
})

t.test('a picture that cannot be made is told with its reason, once, and the end is 1', async t => {
  const cwd = await site(t, { 'a.jpg': broken, 'b.png': logo })
  const { code, stdout, stderr } = await run(t, ['warm'], { cwd })
  t.match({ code, stdout }, { code: 1, stdout: '3 variants made, 0 there already, 3 failed; 0 files are no pictures\n' })
  t.match(stderr, /^\/photos\/a\.jpg: [^\n]+\n$/)
  t.notMatch(stderr, cwd, 'without a path of the machine')
})

t.test('a name that would steer the terminal is shown without its escapes', async t => {
  const cwd = await site(t, { 'a\u202e\u009bb.jpg': broken })
  const { stderr } = await run(t, ['warm'], { cwd })
  t.match(stderr, /^\/photos\/a\uFFFD\uFFFDb\.jpg: /)
})

t.test('a terminal sees a bar that is drawn over', { skip: existsSync('/usr/bin/script') ? false : 'script (Debian package bsdutils) is not installed' }, async t => {
  const cwd = await site(t, { ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}.jpg`, cat])), 'broken.jpg': broken }, {}, { card: 'w=320&f=auto' })
  const shown = start(t, '/usr/bin/script', ['-qec', `stty cols 40; ${process.execPath} ${cli} warm`, '/dev/null'], { cwd })
  t.match(await shown.ended, { code: 1 })
  const drawn = shown.stdout().split('\r\u001b[K')
  t.ok(drawn.some(line => /^\[[#.]{20}\] \d+\/21 files/.test(line)), shown.stdout())
  t.ok(drawn.some(line => /^\/photos\/broken\.jpg: [^\r\n]+\r\n$/.test(line)), 'what failed stands above it')
  t.equal(drawn.at(-1), '60 variants made, 0 there already, 3 failed; 0 files are no pictures\r\n')
  for (const line of drawn) if (line.startsWith('[')) t.ok(line.length < 40, 'no line wraps')
})

t.test('a cache that cannot be written ends it, with the reason', async t => {
  const cwd = await site(t, { 'a.png': logo }, {}, { a: 'w=32', b: 'w=40', c: 'w=48' })
  await writeFile(join(cwd, '.cache'), 'no directory')
  const { code, stdout, stderr } = await run(t, ['warm'], { cwd })
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.match(stderr, /^The variant cache failed: The cache directory cannot be used: E[A-Z]+/)
  t.match(stderr, /\nThe variant cache keeps nothing: it is of no use to go on: [^\n]+\n$/)
})

t.test('variants are made ahead into a Redis too', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const cwd = await site(t, { 'cat.jpg': cat }, { cache: { redis: redis.url } })
  t.match(await run(t, ['warm'], { cwd }), { code: 0, stdout: /^3 variants made/, stderr: '' })
  t.match((await ask(await serving(t, [], { cwd }), '/photos/cat.jpg?preset=card', { headers: accept })).headers, { 'x-cache': 'hit-redis' })
})

t.test('what is not understood ends with 2 and the usage, what cannot be made with 1 and the reason', async t => {
  const cwd = await site(t, { 'cat.jpg': cat })
  for (const [args, code, message] of [
    [['--concurrency', '0'], 2, /^Expected --concurrency to be a number from 1 to 256 but received 0\n/],
    [['--concurrency', '257'], 2, /^Expected --concurrency/],
    [['.', '--config', 'x.json'], 2, /^Expected either a directory or --config but received both\n/],
    [['--quick'], 2, /^Unknown option '--quick'/],
    [['--preset', 'crad'], 1, /^There is no preset crad\. Did you mean card\?\n$/],
    [['--query', 'w=abc'], 1, /^w=abc at \/photos: w: Expected [^\n]+\n$/],
    [['.'], 1, /^There are no presets: say what is to be made with a query/]
  ] as const) t.match(await run(t, ['warm', ...args], { cwd }), { code, stdout: '', stderr: message }, args.join(' '))
})

t.test('many large pictures are made in little memory', { skip: process.platform === 'linux' ? false : 'memory is read in /proc' }, async t => {
  const large = await (await draw(2000, 1500)).jpeg({ quality: 95 }).toBuffer()
  const cwd = await site(t, Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`${n}.jpg`, large])), {}, { small: 'w=100' })
  const running = start(t, process.execPath, [cli, 'warm'], { cwd })
  let most = 0
  const watch = setInterval(() => { void peakOf(running.child.pid).then(peak => { most = Math.max(most, peak) }, () => {}) }, 20)
  t.match(await running.ended, { code: 0 })
  clearInterval(watch)
  t.match(running.stdout(), /^40 variants made/)
  t.ok(most > 0 && most < 150e6, `${Math.round(most / 1e6)} MB`)
})

async function keptIn (cwd: string): Promise<number> {
  return (await readdir(cwd, { recursive: true })).filter(name => /\/variants\/..\/[\w-]{43}$/.test(name)).length
}

async function childrenOf (pid: number | undefined): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number)
}

/** The most bytes that a process had in memory so far. */
async function peakOf (pid: number | undefined): Promise<number> {
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}
