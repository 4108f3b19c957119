import { Readable } from 'node:stream'
import t from 'tap'
import { parse } from 'yaml'
import key from '../../cli/key.ts'
import { ApiKeyStrategy, keyHash, MAX_KEY_BYTES } from '../../lib/access/api-keys.ts'
import type { ApiKeyConfig } from '../../lib/config/access-schema.ts'
import { asked } from '../lib/access/judging.ts'
import { run, runHere } from './process.ts'

async function hashOf (...chunks: Array<string | Buffer>): Promise<string> {
  const { stdout } = await runHere(async () => await key(['--hash'], { input: Readable.from(chunks) }))
  return stdout
}

t.test('key NAME prints a key, and the lines that let its holder in', async t => {
  const { code, stdout, stderr } = await runHere(async () => await key(['reader']))
  t.equal(code, 0)
  const [, made = '', lines = ''] = /^(fm_[A-Za-z0-9_-]{43})\n\n([^]*)$/.exec(stdout) ?? []
  const keys = parse(lines) as Array<{ name: string, hash: string }>
  t.same(keys, [{ name: 'reader', hash: keyHash(made) }])
  t.notOk(stderr.includes(made))
  const config: ApiKeyConfig = { driver: 'apiKey', header: 'X-API-Key', bearer: true, keys: keys.map(({ name, hash }) => ({ name, hash, mounts: [], methods: ['GET'], scopes: [], revoked: false })) }
  const strategy = new ApiKeyStrategy({ name: 'machines', config })
  t.match(strategy.judge(asked([['X-API-Key', made]])), { kind: 'granted', principal: { name: 'reader' } })
  t.match(strategy.judge(asked([['Authorization', `Bearer ${made}`]])), { kind: 'granted' }, 'a bearer token may look like this')
})

t.test('each key is another', async t => {
  const made = async () => (await runHere(async () => await key(['a']))).stdout
  t.not(await made(), await made())
})

t.test('a name that YAML would read as something else stays a name', async t => {
  for (const name of ['123', 'true', 'null', '0x1F', '1e3']) {
    const { stdout } = await runHere(async () => await key([name]))
    t.match(parse(stdout.slice(stdout.indexOf('- '))), [{ name }])
  }
})

t.test('names that the configuration would not take are refused', async t => {
  for (const name of ['', '_a', 'a b', 'a/b', 'a\n', 'ä', 'a'.repeat(65)]) {
    await t.rejects(key([name]), { name: 'UsageError', message: /^Expected a name of up to 64 letters/ }, JSON.stringify(name))
  }
  await t.rejects(key([]), { name: 'UsageError', message: /^Expected a name for the key/ })
  await t.rejects(key(['a', 'b']), { name: 'UsageError' })
  await t.rejects(key(['reader', '--hash'], { input: Readable.from([]) }), { name: 'UsageError', message: /^Expected either a name or --hash/ })
})

t.test('key --hash reads a key from the standard input, without the end of its line', async t => {
  const secret = 'k'.repeat(20)
  t.equal(await hashOf(secret), `${keyHash(secret)}\n`)
  t.equal(await hashOf(`${secret}\n`), `${keyHash(secret)}\n`)
  t.equal(await hashOf(Buffer.from('k'.repeat(10)), Buffer.from(`${'k'.repeat(10)}\r\n`)), `${keyHash(secret)}\n`)
  t.equal(await hashOf('k'.repeat(MAX_KEY_BYTES), '\r\n'), `${keyHash('k'.repeat(MAX_KEY_BYTES))}\n`)
})

t.test('what no request could carry, or anybody could find, is not hashed, and not told', async t => {
  for (const [text, message] of [
    ['', /at least 16 characters/],
    ['\n', /at least 16 characters/],
    ['hunter2', /at least 16 characters/],
    [`${'k'.repeat(20)}\n\n`, /visible ASCII/],
    [`${'k'.repeat(20)} `, /visible ASCII/],
    [`${'k'.repeat(20)}\0`, /visible ASCII/],
    [`${'k'.repeat(20)}é`, /visible ASCII/],
    ['k'.repeat(MAX_KEY_BYTES + 1), /at most 1024 bytes/]
  ] as const) {
    const error = await hashOf(text).then(() => undefined, (error: unknown) => error as Error)
    t.match(error, { name: 'UsageError', message })
    t.notOk(error?.message.includes('kkkk') === true || error?.message.includes('hunter2') === true)
  }
})

t.test('a standard input without an end is not read to it', async t => {
  let given = 0
  async function * endless (): AsyncGenerator<Buffer> {
    for (;;) {
      given++
      yield Buffer.alloc(512, 'k')
    }
  }
  await t.rejects(key(['--hash'], { input: endless() }), { name: 'UsageError', message: /at most 1024 bytes/ })
  t.ok(given <= 4, String(given))
})

t.test('the program knows the command', async t => {
  t.match(await run(t, ['key', 'reader']), { code: 0, stdout: /^fm_[\w-]{43}\n\n- name: reader\n {2}hash: sha256:[0-9a-f]{64}\n$/ })
  t.match(await run(t, ['key', 'a b']), { code: 2, stdout: '', stderr: /^Expected a name of up to 64 letters/ })
  t.match(await run(t, ['key', '--hash']), { code: 2, stdout: '', stderr: /at least 16 characters/ })
  t.match(await run(t, ['key', '--help']), { code: 0, stdout: /^Usage: fastify-media key NAME/ })
})
