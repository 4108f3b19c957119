import { join } from 'node:path'
import t, { type Test } from 'tap'
import deadLetters from '../../cli/dead-letters.ts'
import type { WebhookConfig } from '../../lib/config/writing-schema.ts'
import { scratch } from '../helpers/app.ts'
import { origin, type Origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { sharedSecret } from '../helpers/tokens.ts'
import { event, filesBelow, tell, telling, webhook } from '../lib/events/telling.ts'
import { run, runHere } from './process.ts'

t.setTimeout(120_000)

interface Site {
  readonly cwd: string
  readonly uploads: string
  readonly server: Origin
  readonly webhooks: Record<string, WebhookConfig>
  readonly mend: () => void
}

/** A configuration with two webhooks at a receiver that refuses until it is mended. */
async function site (t: Test): Promise<Site> {
  let status = 500
  const server = await origin(t, (_request, response) => response.writeHead(status).end(), { gather: true })
  const webhooks = { one: webhook(`${server.url}/one`, { attempts: 2 }), two: webhook(`${server.url}/two`, { attempts: 1, events: ['file.deleted'] }) }
  const config = { uploads: { directory: '.state' }, sources: { files: { driver: 'file', root: '.' } }, mounts: [{ prefix: '/photos', source: 'files' }], events: { webhooks } }
  const cwd = await scratch(t, { 'media.config.json': JSON.stringify(config) })
  return { cwd, uploads: join(cwd, '.state'), server, webhooks, mend: () => { status = 204 } }
}

function died (uploads: string): number {
  return filesBelow(uploads).filter(name => name.startsWith('dead/')).length
}

async function here (cwd: string, ...args: string[]): Promise<{ code: number, stdout: string, stderr: string }> {
  return await runHere(async () => await deadLetters([...args, '--config', join(cwd, 'media.config.json')]))
}

t.test('the program lists dead letters, and a running server sends again what is replayed', async t => {
  const { cwd, uploads, server, webhooks, mend } = await site(t)
  t.same(await run(t, ['dead-letters'], { cwd }), { code: 0, signal: null, stdout: '', stderr: '' }, 'none')
  const { events } = await telling(t, { directory: uploads, webhooks })
  const first = await tell(events)
  const second = await tell(events, event({ type: 'file.deleted', path: '/photos/dog.jpg' }))
  await eventually(() => died(uploads) === 3)
  const listed = await run(t, ['dead-letters', 'list'], { cwd })
  t.match(listed, { code: 0, stderr: '' })
  const lines = listed.stdout.trimEnd().split('\n')
  t.equal(lines.length, 3)
  const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`
  for (const line of [
    `${first.id}\tfile\\.created\t"/photos/cat\\.jpg"\twebhooks\\.one\t2 attempts\tanswered 500\t${time}`,
    `${second.id}\tfile\\.deleted\t"/photos/dog\\.jpg"\twebhooks\\.one\t2 attempts\tanswered 500\t${time}`,
    `${second.id}\tfile\\.deleted\t"/photos/dog\\.jpg"\twebhooks\\.two\t1 attempt\tanswered 500\t${time}`
  ]) t.match(listed.stdout, new RegExp(`^${line}$`, 'm'))
  t.notMatch(listed.stdout, new RegExp(sharedSecret.slice(0, 8)))

  mend()
  const before = server.requests.length
  t.same(await run(t, ['dead-letters', 'replay', second.id, '--webhook', 'two'], { cwd }), { code: 0, signal: null, stderr: '', stdout: '1 dead letter will be sent again by the server that runs, or starts next\n' })
  await eventually(() => server.requests.length === before + 1)
  t.match(server.requests.at(-1), { url: '/two', headers: { 'webhook-id': second.id } })
  t.match(await here(cwd, 'replay', '--all'), { code: 0, stdout: /^2 dead letters will be sent again/ })
  await eventually(() => filesBelow(uploads).length === 0)
  t.equal(server.requests.length, before + 3)
})

t.test('dead letters as JSON, one per line; those of one webhook; and what is removed is gone', async t => {
  const { cwd, uploads, webhooks } = await site(t)
  const { events } = await telling(t, { directory: uploads, webhooks })
  const { id } = await tell(events, event({ type: 'file.deleted' }))
  const other = await tell(events, event({ path: '/photos/dog.jpg' }))
  await eventually(() => died(uploads) === 3)
  const { stdout } = await here(cwd, '--json', '--webhook', 'two')
  t.match(JSON.parse(stdout), { id, type: 'file.deleted', path: '/photos/cat.jpg', receiver: 'webhooks.two', attempts: 1, failure: 'answered 500', time: /Z$/ })
  t.equal((await here(cwd, 'list', '--json')).stdout.trimEnd().split('\n').length, 3)
  t.same(await here(cwd, 'remove', id, other.id), { code: 0, stdout: 'Removed 3 dead letters\n', stderr: '' })
  t.same(filesBelow(uploads), [])
  t.same(await here(cwd, 'remove', id, 'x\u001B[2J'), { code: 1, stdout: 'Removed 0 dead letters\n', stderr: `There is no dead letter of this id: ${id}, x\\u001b[2J\n` })
})

t.test('names that a terminal would act on are escaped', async t => {
  const { cwd, uploads, webhooks } = await site(t)
  const { events } = await telling(t, { directory: uploads, webhooks })
  const path = '/photos/\u001B[2J\n"\u202Egpj.exe\u0085\u{E0001}\t'
  await tell(events, event({ path }))
  await eventually(() => died(uploads) === 1)
  const { stdout } = await here(cwd)
  t.match(stdout, /^\S+\tfile\.created\t"\/photos\/\\u001b\[2J\\n\\"\\u202egpj\.exe\\u0085\\udb40\\udc01\\t"\t[^\n]*\n$/)
  t.equal((JSON.parse((await here(cwd, '--json')).stdout) as { path: string }).path, path)
})

t.test('what cannot be read is listed, and what stands in the way told', async t => {
  const cwd = await scratch(t, {
    'media.config.json': '{"uploads":{"directory":".state"}}',
    '.state/events/dead/webhooks.one/001762344000000.abc': 'garbage'
  })
  t.same(await here(cwd), { code: 0, stdout: 'abc\tunreadable\t""\twebhooks.one\t0 attempts\tunknown\t2025-11-05T12:00:00.000Z\n', stderr: '' })
  const broken = await scratch(t, { 'media.config.json': '{"uploads":{"directory":".state"}}', '.state/events/dead': 'a file' })
  t.match(await here(broken), { code: 1, stdout: '', stderr: /^ENOTDIR: / })
})

t.test('what is not understood ends with 2 and the usage', async t => {
  for (const [args, message] of [
    [['eat'], /^Expected list, replay or remove but received eat$/],
    [['list', 'abc'], /^Expected nothing behind list/],
    [['list', '--all'], /^Expected nothing behind list/],
    [['replay'], /^Expected the ids of what to replay, or --all$/],
    [['remove'], /^Expected the ids of what to remove$/],
    [['remove', '--all'], /^Expected the ids of what is removed/],
    [['replay', '--all', 'abc'], /^Expected either ids or --all/],
    [['replay', 'abc', '--json'], /^Expected --json with list alone/],
    [['--every'], /^Unknown option '--every'/]
  ] as const) await t.rejects(deadLetters([...args]), { name: 'UsageError', message }, args.join(' '))
  t.match(await run(t, ['dead-letters', 'eat']), { code: 2, stdout: '', stderr: /^Expected list, replay or remove but received eat\n\nUsage: fastify-media/ })
  t.match(await run(t, ['dead-letters', '--help']), { code: 0, stdout: /^Usage: fastify-media dead-letters \[list/ })
  await t.rejects(deadLetters(['--config', join(await scratch(t), 'gone.json')]), { name: 'ConfigError' })
})
