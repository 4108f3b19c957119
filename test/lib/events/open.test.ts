import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openEvents } from '../../../lib/events/open.ts'
import type { FileEvent } from '../../../lib/writing/parts.ts'
import { scratch } from '../../helpers/app.ts'
import { origin, type Origin } from '../../helpers/origin.ts'
import { eventually, freePort } from '../../helpers/process.ts'
import { event, filesBelow, keptLog, tell, telling, webhook } from './telling.ts'

async function receiver (t: Test): Promise<Origin> {
  return await origin(t, (_request, response) => response.end(), { gather: true })
}

interface Payload {
  readonly id: string
  readonly type: string
  readonly data: Partial<FileEvent>
}

function got ({ requests }: Origin): Payload[] {
  return requests.map(({ body }) => JSON.parse(String(body)) as Payload)
}

/** A process that has told of something that nobody got, and announced two things more. */
async function child (t: Test, directory: string, url: string): Promise<{ told: string, maybe: string, kill: () => Promise<void> }> {
  const running = spawn(process.execPath, ['--import=./test/loader/ts.mjs', 'test/lib/events/events-child.ts', directory, url], { env: { ...process.env, NODE_OPTIONS: '' } })
  const exited = new Promise(resolve => running.once('exit', resolve))
  const kill = async (): Promise<void> => {
    running.kill('SIGKILL')
    await exited
  }
  t.teardown(kill)
  let said = ''
  running.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
  running.stderr.pipe(process.stderr)
  await eventually(() => said.includes('\n'))
  const [told = '', maybe = ''] = said.trim().split(' ')
  return { told, maybe, kill }
}

t.test('where nobody else is told, listeners are, and nothing is written to disk', async t => {
  const { events, directory } = await telling(t, {})
  const told: FileEvent[] = []
  const end = events.on(each => told.push(each))
  const pending = await events.announce(event({ size: 1 }))
  t.same(told, [], 'not before it happened')
  await pending.confirm({ size: 2, id: 'another' })
  await pending.confirm({})
  await pending.drop()
  const dropped = await events.announce(event())
  await dropped.drop()
  await dropped.confirm({})
  t.match(told, [{ size: 2, path: '/photos/cat.jpg' }])
  t.not(told[0]?.id, 'another', 'it stays the same event')
  end()
  await tell(events)
  t.equal(told.length, 1)
  t.notOk(existsSync(join(directory, 'events')))
  t.same(events.state(), {})
})

t.test('what a listener does wrong is logged, and reaches nobody', async t => {
  const server = await receiver(t)
  const { events, lines } = await telling(t, { webhooks: { search: webhook(server.url) } })
  const told: string[] = []
  events.on(() => { throw new Error('oops') })
  events.on(async () => { throw new Error('later') })
  events.on(each => { (each as { path: string }).path = 'changed' })
  events.on(({ path }) => told.push(path))
  await tell(events)
  await eventually(() => server.requests.length === 1 && lines.length === 3)
  t.same(told, ['/photos/cat.jpg'])
  t.match(lines.map(({ message, err }) => [message, (err as Error).message]), [['A listener to events failed', 'oops'], ['A listener to events failed', /read only/], ['A listener to events failed', 'later']])
})

t.test('after kill -9 everything that happened is told, and nothing else', async t => {
  const directory = await scratch(t)
  const { told, maybe, kill } = await child(t, directory, `http://127.0.0.1:${await freePort()}/`)
  t.equal(filesBelow(directory).length, 3)
  await kill()
  const server = await receiver(t)
  const asked: string[] = []
  const heard: string[] = []
  const resolve = async ({ path }: FileEvent): Promise<Partial<FileEvent> | undefined> => {
    asked.push(path)
    return path === '/photos/maybe' ? { size: 9, type: 'file.replaced' } : undefined
  }
  const { events } = await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve })
  events.on(({ path }) => heard.push(path))
  await eventually(() => server.requests.length === 2 && filesBelow(directory).length === 0)
  t.same(asked.toSorted(), ['/photos/maybe', '/photos/never'], 'of what was confirmed it is known')
  t.strictSame(got(server).map(({ id, type, data: { path, size } }) => ({ id, type, path, size })).toSorted((a, b) => a.path! < b.path! ? -1 : 1), [{ id: maybe, type: 'file.replaced', path: '/photos/maybe', size: 9 }, { id: told, type: 'file.created', path: '/photos/told', size: 7 }])
  t.same(heard, ['/photos/maybe'], 'listeners of the process that is gone heard of the other')
  t.equal(readdirSync(join(directory, 'events/outboxes')).length, 2, 'what is left behind goes: its own, and that for dead letters')
})

t.test('what another process has under way is left alone while it is alive', async t => {
  const directory = await scratch(t)
  const { told, kill } = await child(t, directory, `http://127.0.0.1:${await freePort()}/`)
  const server = await receiver(t)
  const { events } = await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve: async () => { throw new Error('asked') } })
  const own = await tell(events)
  await eventually(() => server.requests.length === 1)
  t.same(got(server).map(({ id }) => id), [own.id])
  await eventually(() => filesBelow(directory).length === 3) // one is renamed now and then
  await kill()
  await eventually(() => server.requests.length === 2)
  t.same(got(server).map(({ id }) => id), [own.id, told], 'once it is dead, the living tell it without a restart')
})

t.test('two apps in one process share a directory', async t => {
  const server = await receiver(t)
  const webhooks = { search: webhook(server.url) }
  const one = await telling(t, { webhooks })
  const two = await telling(t, { directory: one.directory, webhooks, resolve: async () => { throw new Error('asked') } })
  const pending = await one.events.announce(event())
  await tell(two.events)
  await eventually(() => server.requests.length === 1)
  await pending.confirm({})
  await eventually(() => server.requests.length === 2)
  t.same(two.lines, [])
})

t.test('where it cannot be found out whether something happened, it is asked until it can', async t => {
  const server = await receiver(t)
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook(server.url) } })
  await first.announce(event({ path: '/photos/a' }))
  await first.announce(event({ path: '/photos/b' }))
  await first.close()
  let tries = 0
  const { lines } = await telling(t, {
    directory,
    webhooks: { search: webhook(server.url) },
    resolve: async () => {
      if (++tries === 1) throw new Error('the store is away')
      return {}
    }
  })
  await eventually(() => server.requests.length === 2)
  t.match(lines, [{ level: 'warn', err: { message: 'the store is away' }, message: /^It is not known yet/ }])
})

t.test('one who is asked what happened and does not answer does not keep anybody from leaving', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  await first.announce(event())
  await first.close()
  let asked = false
  const { events } = await telling(t, { directory, webhooks: { search: webhook('http://127.0.0.1:9') }, resolve: async () => await new Promise(() => { asked = true }) })
  await eventually(() => asked)
  await events.close()
  t.equal(filesBelow(directory).length, 1)
})

t.test('what is confirmed or dropped after the end stays on disk, or goes', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url) } })
  const [happens, never] = [await events.announce(event({ path: '/photos/late' })), await events.announce(event())]
  await events.close()
  await happens.confirm({})
  await never.drop()
  t.equal(filesBelow(directory).length, 1)
  await telling(t, { directory, webhooks: { search: webhook(server.url) } })
  await eventually(() => server.requests.length === 1)
  t.match(got(server), [{ data: { path: '/photos/late' } }])
})

t.test('what waits for a webhook that is no longer configured waits for a server that knows it, which is said', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { gone: webhook('http://127.0.0.1:9') } })
  await tell(first)
  await first.close()
  const server = await receiver(t)
  const second = await telling(t, { directory, webhooks: { search: webhook(server.url) } })
  await eventually(() => second.lines.length > 0)
  await tell(second.events)
  await eventually(() => server.requests.length === 1)
  t.match(second.lines, [{ level: 'warn', receiver: 'webhooks.gone' }])
  await second.events.close()
  await telling(t, { directory, webhooks: { gone: webhook(server.url) } })
  await eventually(() => server.requests.length === 2)
})

t.test('damaged files are put aside and told of, whatever they are, and the rest is delivered', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  const good = await tell(first)
  await first.close()
  const [path = ''] = filesBelow(directory)
  const queue = join(directory, 'events', path, '..')
  const intents = join(queue, '../../intents')
  const line = JSON.stringify({ event: event() })
  const bad: Record<string, string> = {
    [join(queue, '000000000000000001.0.00000000.empty')]: '',
    [join(queue, '000000000000000001.0.00000000.garbage')]: '\0\xff{"event"',
    [join(queue, '000000000000000001.0.00000000.null')]: 'null',
    [join(queue, '000000000000000001.0.00000000.other')]: JSON.stringify({ event: { ...event(), type: 'file.eaten' } }),
    [join(queue, '000000000000000001.0.00000000.facts')]: `${line}\n${JSON.stringify({ happened: { type: 'file.eaten' } })}`,
    [join(queue, '000000000000000001.0.00000000.large')]: `${line}\n${'x'.repeat(200_000)}`,
    [join(queue, 'no-message')]: line,
    [join(queue, 'n'.repeat(250))]: line,
    [join(intents, 'half')]: line.slice(0, 20),
    [join(intents, 'id')]: JSON.stringify({ event: event({ id: '../../x' }) })
  }
  for (const [name, text] of Object.entries(bad)) writeFileSync(name, text)
  mkdirSync(join(queue, '000000000000000001.0.00000000.directory'))
  const server = await receiver(t)
  const { events, lines } = await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve: async () => ({}) })
  const count = Object.keys(bad).length + 1
  await eventually(() => lines.length === count && server.requests.length === 1)
  t.ok(lines.every(({ level, message }) => level === 'warn' && message === 'A file in the outbox of events is damaged: it is put aside'))
  t.equal(readdirSync(join(directory, 'events/damaged')).length, count)
  t.match(got(server), [{ id: good.id }])
  t.match(events.state(), { 'webhooks.search': [{ waiting: 0 }] })
})

t.test('a line that was cut off takes nothing else with it', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  const { id } = await tell(first, event(), { size: 5 })
  await first.close()
  const path = join(directory, 'events', filesBelow(directory)[0] ?? '')
  const [line = ''] = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, `${line}\n{"happened":{"si`) // what a power loss may leave
  const server = await receiver(t)
  await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve: async () => ({ size: 6 }) })
  await eventually(() => server.requests.length === 1)
  t.match(got(server), [{ id, data: { size: 6 } }], 'it is known that it happened: the rest is asked for')
})

t.test('what cannot be asked for is told as it was announced', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  const { id } = await tell(first, event({ size: 4 }), { size: 5 })
  await first.close()
  const path = join(directory, 'events', filesBelow(directory)[0] ?? '')
  writeFileSync(path, `${readFileSync(path, 'utf8').split('\n')[0] ?? ''}\n`)
  const server = await receiver(t)
  await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve: async () => { throw new Error('away') } })
  await eventually(() => server.requests.length === 1)
  t.match(got(server), [{ id, data: { size: 4 } }])
})

t.test('an intent that says it happened is not asked about', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  const { id } = event()
  await first.announce(event({ id }))
  await first.close()
  const path = join(directory, 'events', filesBelow(directory)[0] ?? '')
  writeFileSync(path, `${JSON.stringify({ happened: { size: 5 } })}\n`, { flag: 'a' })
  const server = await receiver(t)
  await telling(t, { directory, webhooks: { search: webhook(server.url) }, resolve: async () => { throw new Error('asked') } })
  await eventually(() => server.requests.length === 1)
  t.match(got(server), [{ id, data: { size: 5 } }])
})

t.test('an outbox that is removed under a running server is made anew, and what happened is told', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url), other: webhook(server.url) } })
  const [pending, dropped] = [await events.announce(event({ size: 3 })), await events.announce(event())]
  rmSync(join(directory, 'events'), { recursive: true })
  await pending.confirm({ size: 4 })
  await dropped.drop()
  rmSync(join(directory, 'events'), { recursive: true })
  await tell(events, event({ size: 4, path: '/photos/second' }))
  await eventually(() => server.requests.length >= 3)
  t.ok(got(server).some(({ data: { size, path } }) => size === 4 && path === '/photos/second'))
})

t.test('an instance that was taken for dead tells all the same', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url) } })
  const pending = await events.announce(event())
  const [path = ''] = filesBelow(directory)
  renameSync(join(directory, 'events', path), join(directory, 'events/taken')) // what another one does that takes it over
  await pending.confirm({})
  await eventually(() => server.requests.length === 1)
  t.pass('and somebody may be told twice')
})

t.test('an instance of another host is dead when it gave no sign for a while', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  await tell(first)
  await first.close()
  const [instance = ''] = readdirSync(join(directory, 'events/outboxes'))
  const alive = join(directory, 'events/alive', instance)
  writeFileSync(alive, JSON.stringify({ host: 'elsewhere', pid: 1, startedMs: 0 }))
  const server = await receiver(t)
  const second = await telling(t, { directory, webhooks: { search: webhook(server.url) } })
  const { id } = await tell(second.events)
  await eventually(() => server.requests.length === 1)
  t.match(got(server), [{ id }], 'it may be alive')
  const long = new Date(Date.now() - 60_000)
  utimesSync(alive, long, long)
  await eventually(() => server.requests.length === 2)
  await eventually(() => !existsSync(alive))
})

t.test('without a directory that can be written to there is no start, and the message says where', async t => {
  const directory = await scratch(t, { 'taken/events': 'a file' })
  await t.rejects(telling(t, { directory: join(directory, 'taken'), webhooks: { search: webhook('http://127.0.0.1:9') } }), { name: 'ConfigError', message: /uploads\.directory: Expected a directory in which events can wait, but that failed: E[A-Z]+/ })
})

t.test('a full disk refuses the announcement, and the service goes on', { skip: process.getuid?.() === 0 ? false : 'a small file system can be mounted by root only' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  const server = await receiver(t)
  const { events, lines } = await telling(t, { directory, webhooks: { search: webhook(server.url), other: webhook(server.url) } })
  const pending = await events.announce(event({ path: '/photos/before' }))
  writeFileSync(join(directory, 'ballast'), Buffer.alloc(900_000))
  t.throws(() => writeFileSync(join(directory, 'more'), Buffer.alloc(900_000)), { code: 'ENOSPC' })
  await t.rejects(events.announce(event({ path: '/photos/full' })), { name: 'MediaError', code: 'insufficient-storage', statusCode: 507 })
  await pending.confirm({})
  await eventually(() => lines.length > 0)
  t.equal(server.requests.length, 0, 'there is no room for the message of the second webhook')
  rmSync(join(directory, 'ballast'))
  rmSync(join(directory, 'more'))
  await eventually(() => server.requests.length === 2)
  await tell(events, event({ path: '/photos/after' }))
  await eventually(() => server.requests.length === 4)
  t.same([...new Set(got(server).map(({ data: { path } }) => path))], ['/photos/before', '/photos/after'])
})

t.test('an outbox that cannot be written to for another reason is unavailable', async t => {
  const { events, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  const [instance = ''] = readdirSync(join(directory, 'events/alive'))
  const intents = join(directory, 'events/outboxes', instance, 'intents')
  rmSync(intents, { recursive: true })
  symlinkSync('/dev/null', intents)
  await t.rejects(events.announce(event()), { name: 'MediaError', code: 'unavailable', statusCode: 503 })
  await t.rejects(events.announce(event({ id: '../x' })), { name: 'TypeError' })
})

t.test('a directory that cannot be looked at is told of, and looked at again', async t => {
  const { events: first, directory } = await telling(t, { webhooks: { search: webhook('http://127.0.0.1:9') } })
  await first.announce(event())
  const { events, lines } = await telling(t, { directory, webhooks: { search: webhook('http://127.0.0.1:9') } })
  const intents = readdirSync(join(directory, 'events/alive')).map(name => join(directory, 'events/outboxes', name, 'intents')).find(each => readdirSync(each).length === 0) ?? ''
  rmSync(intents, { recursive: true })
  symlinkSync('/dev/null', intents)
  await first.close()
  await eventually(() => lines.length > 0)
  t.match(lines[0], { level: 'warn', message: 'The outbox of events cannot be looked at', err: { code: 'ENOTDIR' } })
  rmSync(intents)
  mkdirSync(intents)
  await eventually(() => filesBelow(directory).length === 0)
  await events.close()
})

t.test('names that mean something elsewhere are texts here', async t => {
  const server = await receiver(t)
  const { events, directory } = await telling(t, { webhooks: { search: webhook(server.url) } })
  const paths = ['/photos/a\n{"event":{}}\nb', '/photos/"quoted".jpg', '/photos/\u202Egpj.exe', '/photos/\u2028\u0000\uFFFF', '/photos/\uD800lone', '/photos/../../etc/passwd', '/photos/__proto__', `/photos/${'é'.repeat(2000)}`]
  for (const path of paths) await tell(events, event({ path, from: path, principal: path }))
  await eventually(() => server.requests.length === paths.length && filesBelow(directory).length === 0)
  t.same(new Set(got(server).map(({ data: { path } }) => path)), new Set(paths))
})

t.test('the library works without anything of a configuration beside these two sections', async t => {
  const { log } = keptLog()
  const events = await openEvents({ events: { webhooks: {} }, uploads: { directory: '/nowhere', maxConcurrent: 1, stallMs: 1, timeoutMs: 1, expiryMs: 1 } }, { log, resolve: async () => undefined })
  await events.close()
  t.same(events.state(), {})
})
