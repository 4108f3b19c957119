// The Redis that instances share is killed while files are uploaded, and comes back. Quotas that cannot be counted
// refuse; without quotas everything goes on; nothing half-written is ever seen.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { ask, scratch, type Served } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'
import { asWriter, put, serveWritable } from '../helpers/writable.ts'

t.setTimeout(120_000)

const skip = noRedis ?? false
const CONTENT = 'x'.repeat(20_000)

const filesIn = (root: string): string[] => readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))

/** Uploads one file after the other until told to stop: what each was answered, by its name. */
function load (served: Served, prefix: string): { statuses: Map<string, number>, stop: () => Promise<void> } {
  const statuses = new Map<string, number>()
  const going = { on: true }
  const work = Promise.all(Array.from({ length: 4 }, async (_, worker) => {
    for (let n = 0; going.on; n++) {
      const name = `${prefix}-${worker}-${n}.txt`
      statuses.set(name, (await put(served, `/files/${name}`, CONTENT)).status)
    }
  }))
  return { statuses, stop: async () => { going.on = false; await work } }
}

t.test('with quotas: 503 while it is away, and exactly what was answered 201 is there', { skip }, async t => {
  const redis = await testRedis(t)
  const served = await serveWritable(t, { writing: { quotas: { mount: { bytes: 100_000_000 } } }, rest: { uploads: { directory: await scratch(t), redis: redis.url } } })
  const { statuses, stop } = load(served, 'q')
  const counted = (status: number) => (): boolean => [...statuses.values()].filter(each => each === status).length > 10
  t.ok(await eventually(counted(201)))
  await redis.kill()
  t.ok(await eventually(counted(503), 60_000), 'what cannot be counted is not taken')
  await redis.restart()
  const before = statuses.size
  t.ok(await eventually(() => [...statuses.values()].slice(before).includes(201), 60_000), 'it goes on when Redis is back')
  await stop()
  t.same([...new Set(statuses.values())].toSorted((a, b) => a - b), [201, 503])
  const good = [...statuses].filter(([, status]) => status === 201).map(([name]) => name)
  t.same(filesIn(served.root).toSorted(), good.toSorted())
})

t.test('without quotas every upload goes on, on every instance', { skip }, async t => {
  const redis = await testRedis(t)
  const root = await scratch(t)
  const rest = async (): Promise<Record<string, unknown>> => ({ sources: { files: { driver: 'file', root } }, uploads: { directory: await scratch(t) }, images: { cache: { redis: redis.url } }, hotFiles: { revalidateMs: 300 } })
  const [one, two] = [await serveWritable(t, { rest: await rest() }), await serveWritable(t, { rest: await rest() })]
  const { statuses, stop } = load(one, 'n')
  t.ok(await eventually(() => statuses.size > 5))
  await redis.kill()
  const during = statuses.size
  t.ok(await eventually(() => statuses.size > during + 5, 60_000))
  t.equal((await put(one, '/files/told.txt', 'first')).status, 201)
  t.equal((await ask(two, '/files/told.txt')).text, 'first')
  t.equal((await put(one, '/files/told.txt', 'again')).status, 204, 'nobody can be told, and it is written all the same')
  t.ok(await eventually(async () => (await ask(two, '/files/told.txt')).text === 'again'), 'the other instance sees it for itself soon')
  await redis.restart()
  await stop()
  t.same([...new Set(statuses.values())], [201])
  t.ok(await eventually(async () => {
    await put(one, '/files/told.txt', 'told')
    return (await ask(two, '/files/told.txt')).text === 'told'
  }))
  t.equal((await ask(one, '/files/told.txt', { method: 'DELETE', headers: asWriter })).status, 204)
})

t.test('who replaces a picture on one instance gets variants of the new one from the other, at once', { skip }, async t => {
  const redis = await testRedis(t)
  const root = await scratch(t)
  const rest = async (): Promise<Record<string, unknown>> => ({ sources: { files: { driver: 'file', root } }, uploads: { directory: await scratch(t) }, images: { cache: { redis: redis.url } }, hotFiles: { revalidateMs: 3_600_000 } })
  const [one, two] = [await serveWritable(t, { rest: await rest() }), await serveWritable(t, { rest: await rest() })]
  const colours = ['#ff0000', '#00ff00', '#0000ff', '#ff0000', '#00ff00']
  const pictures = await Promise.all(colours.map(async background => await sharp({ create: { width: 200, height: 200, channels: 3, background } }).png().toBuffer()))
  const tags = new Set<unknown>()
  for (const [n, picture] of pictures.entries()) {
    const [writer, reader] = n % 2 === 0 ? [one, two] : [two, one]
    t.equal((await put(writer, '/files/a.png', picture)).status, n === 0 ? 201 : 204)
    for (const served of [reader, writer, reader]) {
      const { status, body, headers } = await ask(served, '/files/a.png?w=32')
      t.equal(status, 200)
      const { channels } = await sharp(body).stats()
      t.equal(channels.slice(0, 3).map(({ mean }) => mean > 128 ? 'ff' : '00').join(''), colours[n]?.slice(1), `the variant is of picture ${n}`)
      tags.add(headers.etag)
    }
    t.ok((await ask(reader, '/files/a.png')).body.equals(picture), 'and so is the picture')
  }
  t.equal(tags.size, pictures.length, 'each has a tag of its own, on both')
  t.equal((await ask(one, '/files/a.png', { method: 'DELETE', headers: asWriter })).status, 204)
  for (const served of [two, one]) t.equal((await ask(served, '/files/a.png?w=32')).status, 404)
})
