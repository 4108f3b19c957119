import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DeadLetters, type DeadLetter } from '../../../lib/events/dead-letters.ts'
import { EventsLayout } from '../../../lib/events/layout.ts'
import { scratch } from '../../helpers/app.ts'
import { origin, type Origin } from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { event, filesBelow, tell, telling, webhook } from './telling.ts'

/** A receiver that refuses until it is mended. */
async function moody (t: Test): Promise<Origin & { mend: () => void }> {
  let status = 500
  const server = await origin(t, (_request, response) => response.writeHead(status).end(), { gather: true })
  return Object.assign(server, { mend: () => { status = 204 } })
}

async function listed (letters: DeadLetters, receiver?: string): Promise<DeadLetter[]> {
  const all: DeadLetter[] = []
  for await (const letter of letters.list(receiver)) all.push(letter)
  return all
}

t.test('a dead letter says whose it is and why, the oldest first', async t => {
  const [one, two] = [await moody(t), await moody(t)]
  const { events, directory } = await telling(t, { webhooks: { one: webhook(one.url, { attempts: 2 }), two: webhook(two.url, { attempts: 3 }) } })
  const letters = new DeadLetters(new EventsLayout(directory))
  t.same(await listed(letters), [])
  const first = await tell(events)
  await eventually(async () => (await listed(letters)).length === 2)
  const second = await tell(events, event({ path: '/photos/dog.jpg' }), { size: 5 })
  await eventually(async () => (await listed(letters)).length === 4)
  const all = await listed(letters)
  t.match(all.map(({ receiver, id, message }) => ({ receiver, id, ...message })), [
    { receiver: 'webhooks.one', id: first.id, death: { receiver: 'webhooks.one', attempts: 2, failure: 'answered 500', time: /Z$/ } },
    { receiver: 'webhooks.one', id: second.id, event: { path: '/photos/dog.jpg', size: 5 } },
    { receiver: 'webhooks.two', id: first.id, death: { receiver: 'webhooks.two', attempts: 3 } },
    { receiver: 'webhooks.two', id: second.id }
  ])
  t.ok(all.every(({ diedMs }) => Math.abs(diedMs - Date.now()) < 60_000))
  t.same((await listed(letters, 'webhooks.two')).map(({ id }) => id), [first.id, second.id])
  t.match(events.state(), { 'webhooks.one': [{ dead: 2 }], 'webhooks.two': [{ dead: 2 }] })
})

t.test('what is replayed is sent by the server that runs, with all its attempts anew; what died twice says so', async t => {
  const server = await moody(t)
  const { events, directory } = await telling(t, { webhooks: { one: webhook(server.url, { attempts: 2 }) } })
  const letters = new DeadLetters(new EventsLayout(directory))
  const { id } = await tell(events)
  await eventually(async () => (await listed(letters)).length === 1)
  const [letter] = await listed(letters)
  await letters.replay(letter!)
  await eventually(async () => server.requests.length === 4 && (await listed(letters)).length === 1)
  const [again] = await listed(letters)
  t.match(again, { id, message: { death: { attempts: 2 } } })
  t.ok((again?.diedMs ?? 0) > (letter?.diedMs ?? 0))
  server.mend()
  await letters.replay(again!)
  await eventually(() => filesBelow(directory).length === 0)
  t.same(server.requests.map(({ headers }) => headers['webhook-id']), Array.from({ length: 5 }, () => id))
})

t.test('what is replayed while no server runs is sent by the next', async t => {
  const server = await moody(t)
  const { events, directory } = await telling(t, { webhooks: { one: webhook(server.url, { attempts: 1 }) } })
  const letters = new DeadLetters(new EventsLayout(directory))
  await tell(events)
  await eventually(async () => (await listed(letters)).length === 1)
  await events.close()
  for (const letter of await listed(letters)) await letters.replay(letter)
  server.mend()
  await telling(t, { directory, webhooks: { one: webhook(server.url) } })
  await eventually(() => server.requests.length === 2 && filesBelow(directory).length === 0)
})

t.test('what is removed is gone; of two that replay or remove one, one is told that it is not there', async t => {
  const server = await moody(t)
  const { events, directory } = await telling(t, { webhooks: { one: webhook(server.url, { attempts: 1 }) } })
  const letters = new DeadLetters(new EventsLayout(directory))
  await tell(events)
  await eventually(async () => (await listed(letters)).length === 1)
  const [letter] = await listed(letters)
  await letters.remove(letter!)
  t.same(filesBelow(directory), [])
  await t.rejects(letters.remove(letter!), { code: 'ENOENT' })
  await t.rejects(letters.replay(letter!), { code: 'ENOENT' })
})

t.test('letters that cannot be read are listed, what is none is not, and both are counted', async t => {
  const directory = await scratch(t)
  const letters = new DeadLetters(new EventsLayout(directory))
  const dead = join(directory, 'events/dead/webhooks.one')
  mkdirSync(dead, { recursive: true })
  writeFileSync(join(dead, '001762344000000.abc'), 'garbage')
  writeFileSync(join(dead, 'README'), 'none of ours')
  t.match(await listed(letters), [{ receiver: 'webhooks.one', id: 'abc', message: undefined }])
  t.equal(letters.countOf('webhooks.one'), 0)
  await letters.count('webhooks.one')
  t.equal(letters.countOf('webhooks.one'), 2)
  const [letter] = await listed(letters)
  await letters.replay(letter!)
  const { lines } = await telling(t, { directory, webhooks: { one: webhook('http://127.0.0.1:9') } })
  await eventually(() => lines.some(({ message }) => message.includes('damaged')))
  writeFileSync(join(directory, 'events/dead/file'), '')
  await t.rejects(listed(letters), { code: 'ENOTDIR' })
})
