// What a full disk and a store that fails do to whoever writes, where events cannot be written down.
import { join } from 'node:path'
import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { memorySource } from '../../../lib/sources/memory.ts'
import type { Writable } from '../../../lib/sources/writing.ts'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { keepForm } from '../../../lib/writing/form.ts'
import type { FileEvent, FileEvents } from '../../../lib/writing/parts.ts'
import { UploadSlots } from '../../../lib/writing/slots.ts'
import { Spooled } from '../../../lib/writing/spool.ts'
import { Writer } from '../../../lib/writing/writer.ts'
import { openQuotas } from '../../../lib/writing/quotas.ts'
import { scratch, type Test } from '../../helpers/app.ts'

const key = (text: string): Key => text as Key

/** A writer over memory, whose events are told by `announce`; and what was forgotten. */
async function writerOver (t: Test, announce: FileEvents['announce'], change: (writable: Writable) => Writable = writable => writable): Promise<{ writer: Writer, forgotten: string[][] }> {
  const source = memorySource({ maxBytes: 10_000 })
  const { config } = await resolveConfig({ sources: { files: { driver: 'file', root: '.' } }, mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { write: 'nobody' } }] }, { base: await scratch(t) })
  const quotas = await openQuotas({ directory: await scratch(t), mounts: [], walk: async function * () {}, log: { info () {}, warn () {} } })
  t.teardown(async () => await quotas.close())
  const forgotten: string[][] = []
  const rules = config.mounts[0]?.writing
  if (rules === undefined) throw new TypeError('Expected rules')
  const writer = new Writer({
    mount: '/files',
    place: '/files',
    rules,
    source,
    writable: change(source.writing),
    quotas,
    events: { announce },
    invalidation: { forget: async paths => { forgotten.push([...paths]) } },
    slots: new UploadSlots(1),
    limits: { stallMs: 10_000, timeoutMs: 10_000 },
    spoolDirectory: await scratch(t),
    policy: async () => undefined
  })
  return { writer, forgotten }
}

async function * bytes (text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

const principal = null
const full = (): MediaError => new MediaError('insufficient-storage')

/** Notes what is told; refuses those of which `refuses` says so. */
function noted (refuses: (event: FileEvent) => boolean): { told: string[], announce: FileEvents['announce'] } {
  const told: string[] = []
  return {
    told,
    announce: async event => {
      if (refuses(event)) throw full()
      told.push(`announced ${event.type}`)
      return { confirm: async () => { told.push(`confirmed ${event.type}`) }, drop: async () => { told.push(`dropped ${event.type}`) } }
    }
  }
}

t.test('where an event cannot be written down nothing is written, but room can be made', async t => {
  let isFull = false
  const { told, announce } = noted(() => isFull)
  const { writer } = await writerOver(t, announce)
  await writer.put(key('a.txt'), { body: bytes('hello'), principal })
  isFull = true
  await t.rejects(writer.put(key('b.txt'), { body: bytes('hello'), principal }), { code: 'insufficient-storage' })
  await t.rejects(writer.put(key('a.txt'), { body: bytes('other'), principal }), { code: 'insufficient-storage' })
  const removing = writer.remove(key('a.txt'), { principal })
  isFull = false // as it is once the file is gone
  await removing
  t.same(told, ['announced file.created', 'confirmed file.created', 'announced file.deleted', 'confirmed file.deleted'])
  await t.rejects(writer.remove(key('a.txt'), { principal }), { code: 'not-found' })
})

t.test('other faults of events stop a deletion, too', async t => {
  const { writer } = await writerOver(t, async () => { throw new MediaError('unavailable') })
  await t.rejects(writer.remove(key('a.txt'), { principal }), { code: 'unavailable' })
})

t.test('of a move both events are told, or none', async t => {
  const refused = { deletion: true }
  const { told, announce } = noted(({ type }) => refused.deletion && type === 'file.deleted')
  const { writer } = await writerOver(t, announce)
  await writer.put(key('a.txt'), { body: bytes('hello'), principal })
  told.length = 0
  await t.rejects(writer.move(key('a.txt'), key('b.txt'), { principal }), { code: 'insufficient-storage' })
  t.same(told, ['announced file.created', 'dropped file.created'])
  refused.deletion = false
  t.match(await writer.move(key('a.txt'), key('b.txt'), { principal }), { key: 'b.txt', isNew: true })
  await t.rejects(writer.move(key('b.txt'), key('b.txt'), { principal }), { code: 'bad-request' })
  await t.rejects(writer.move(key('none.txt'), key('c.txt'), { principal }), { code: 'not-found' })
})

t.test('what fails in the store is not believed to be as it was', async t => {
  const { told, announce } = noted(() => false)
  const { writer, forgotten } = await writerOver(t, announce, writable => ({ begin: async (...args) => await writable.begin(...args), remove: async () => { throw new MediaError('unavailable') }, move: async () => { throw new Error('The store is gone') }, sweep: async () => 0 }))
  await writer.put(key('a.txt'), { body: bytes('hello'), principal })
  forgotten.length = 0
  told.length = 0
  await t.rejects(writer.remove(key('a.txt'), { principal }), { code: 'unavailable' })
  await t.rejects(writer.move(key('a.txt'), key('b.txt'), { principal }), { message: 'The store is gone' })
  t.same(forgotten, [['/files/a.txt'], ['/files/a.txt', '/files/b.txt']])
  t.same(told.filter(each => each.startsWith('confirmed')), [])
})

t.test('faults of a form that are not its own stay what they are', async t => {
  const fault = new Error('of something else')
  const failing = async function * (): AsyncGenerator<never> {
    yield await Promise.reject(fault)
  }
  await t.rejects(keepForm(failing(), async () => { throw fault }, new AbortController().signal), fault)
})

t.test('where files cannot be put aside, that is told', async t => {
  const directory = await scratch(t, { file: 'x' })
  await t.rejects(Spooled.open(join(directory, 'file')), MediaError)
})
