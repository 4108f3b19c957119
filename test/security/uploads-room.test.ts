// Uploads that are larger than the room there is: a full disk, a quota, a stream without an end. Nothing of them is
// seen, nothing of them stays, and whoever comes next is served.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, statfsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { asWriter, form, put, serveWritable, strategies } from '../helpers/writable.ts'

const MIB = 1024 * 1024

/** Files below a directory, those of ours too. */
const filesIn = (root: string): string[] => readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))

/** A small file system in memory; undefined where nobody may mount one. */
async function smallDisk (t: Test, bytes: number): Promise<string | undefined> {
  const directory = await scratch(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', directory], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  return directory
}

const mountable = process.getuid?.() === 0 && await (async () => {
  const probe: Array<() => unknown> = []
  const found = await smallDisk({ teardown: action => { probe.push(action) } }, MIB)
  for (const action of probe.toReversed()) await action()
  return found !== undefined
})()

/** Sends zeros until the server has answered, or so many bytes. */
async function pour (served: { port: number }, path: string, bytes: number): Promise<{ status: number | undefined, sent: number, code: unknown }> {
  const sending = request({ host: '127.0.0.1', port: served.port, path, method: 'PUT', agent: false, headers: asWriter })
  const state = { answered: false, sent: 0 }
  const answer = new Promise<{ status: number | undefined, code: unknown }>((resolve, reject) => {
    sending.on('response', response => {
      state.answered = true
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode, code: chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as { code: unknown }).code }))
    })
    sending.on('error', error => { if (!state.answered) reject(error) })
  })
  const chunk = Buffer.alloc(256 * 1024)
  while (!state.answered && state.sent < bytes) {
    state.sent += chunk.length
    if (!sending.write(chunk)) await new Promise<void>(resolve => { sending.once('drain', resolve); void answer.then(() => resolve(), () => resolve()) })
  }
  if (!state.answered) sending.end()
  const told = await answer
  sending.destroy()
  return { ...told, sent: state.sent }
}

t.test('a full disk is 507, nothing of the file is seen, and the service goes on', { skip: mountable ? false : 'no file system can be mounted here' }, async t => {
  const disk = await smallDisk(t, 8 * MIB) as string
  const root = join(disk, 'files')
  mkdirSync(root)
  const served = await serveWritable(t, { rest: { sources: { files: { driver: 'file', root } } } })
  t.equal((await put(served, '/files/before.bin', Buffer.alloc(MIB))).status, 201)
  for (const [n, attempt] of [() => put(served, '/files/large.bin', Buffer.alloc(12 * MIB)), async () => { const { body, headers } = form([{ filename: 'small.bin', body: 'x' }, { filename: 'large.bin', body: Buffer.alloc(12 * MIB) }]); return await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } }) }].entries()) {
    const answer = await attempt()
    t.match(JSON.parse(answer.text), { status: 507, code: 'insufficient-storage' }, `attempt ${n}`)
    t.notMatch(answer.text, disk, 'no path of the machine')
  }
  t.equal((await put(served, '/files/before.bin', Buffer.alloc(12 * MIB))).status, 507, 'what was there stays')
  t.equal((await ask(served, '/files/before.bin')).body.length, MIB)
  t.ok(await eventually(() => filesIn(root).join() === 'before.bin'), filesIn(root).join())
  t.equal((await put(served, '/files/after.bin', Buffer.alloc(3 * MIB))).status, 201)
  t.equal((await ask(served, '/files/after.bin')).body.length, 3 * MIB)
  const { bavail, bsize } = statfsSync(disk)
  t.ok(bavail * bsize > 2 * MIB, 'the room was given back')
})

t.test('so is a full disk where uploads wait to be looked at', { skip: mountable ? false : 'no file system can be mounted here' }, async t => {
  const state = await smallDisk(t, 2 * MIB) as string
  const served = await serveWritable(t, { writing: { names: 'hash' }, rest: { uploads: { directory: state } } })
  const post = async (bytes: number): Promise<number> => {
    const { body, headers } = form([{ filename: 'a.bin', body: Buffer.alloc(bytes) }])
    return (await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } })).status
  }
  t.equal(await post(4 * MIB), 507)
  t.same(filesIn(served.root), [])
  t.equal(await post(1000), 201)
})

const quotas = { mount: { bytes: 100 * MIB } }

t.test('5 GB that nobody announced end where the quota does', async t => {
  const served: Served & { root: string } = await serveWritable(t, { writing: { maxBytes: 10 * 1024 * MIB, quotas } })
  const { status, code, sent } = await pour(served, '/files/huge.bin', 5 * 1024 * MIB)
  t.same({ status, code }, { status: 507, code: 'quota-exceeded' })
  t.ok(sent < 400 * MIB, `${sent} bytes were sent`)
  t.ok(await eventually(() => filesIn(served.root).length === 0), 'nothing stays')
  t.equal((await put(served, '/files/huge.bin', Buffer.alloc(0), {})).status, 201)
})

t.test('so do they at the size that a file may have', async t => {
  const served = await serveWritable(t, { writing: { maxBytes: 20 * MIB } })
  const { status, code, sent } = await pour(served, '/files/huge.bin', 5 * 1024 * MIB)
  t.same({ status, code }, { status: 413, code: 'body-too-large' })
  t.ok(sent < 200 * MIB, `${sent} bytes were sent`)
  t.ok(await eventually(() => filesIn(served.root).length === 0), 'nothing stays')
})

t.test('quotas count what is there, and give back what is deleted', async t => {
  const [root, state] = [await scratch(t, { 'old.bin': Buffer.alloc(1000) }), await scratch(t)]
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies,
    uploads: { directory: state },
    mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { write: ['keys'] }, writing: { quotas: { mount: { bytes: 3000 }, principal: { files: 2 } } } }]
  })
  t.equal((await put(served, '/files/a.bin', Buffer.alloc(1500))).status, 201)
  t.match(JSON.parse((await put(served, '/files/b.bin', Buffer.alloc(600))).text), { status: 507, code: 'quota-exceeded' })
  t.equal((await put(served, '/files/a.bin', Buffer.alloc(1900))).status, 204, 'what is replaced makes room')
  t.equal((await ask(served, '/files/a.bin', { method: 'DELETE', headers: asWriter })).status, 204)
  t.equal((await put(served, '/files/b.bin', Buffer.alloc(600))).status, 201)
  t.equal((await put(served, '/files/c.bin', Buffer.alloc(600))).status, 201)
  t.match(JSON.parse((await put(served, '/files/d.bin', Buffer.alloc(1))).text), { code: 'quota-exceeded' }, 'files, too')
})
