import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { Upload, type UploadOptions } from 'tus-js-client'
import { MediaError } from '../../../../lib/errors.ts'
import { UploadLocks } from '../../../../lib/writing/resumable/locks.ts'
import { Staging } from '../../../../lib/writing/resumable/staging.ts'
import { sweepUploads } from '../../../../lib/writing/resumable/sweep.ts'
import { Unfinished } from '../../../../lib/writing/resumable/unfinished.ts'
import { ask, scratch, type Answer } from '../../../helpers/app.ts'
import { eventually } from '../../../helpers/process.ts'
import { metadataOf, part, resumableServer, sha256, tus, type ResumableServer } from '../../../helpers/resumable.ts'

/** Uploads with a real client. */
async function uploaded (body: Buffer | NodeJS.ReadableStream, options: UploadOptions): Promise<Upload> {
  return await new Promise((resolve, reject) => {
    const upload: Upload = new Upload(body as never, { retryDelays: Array.from({ length: 20 }, () => 10), ...options, onSuccess: () => resolve(upload), onError: reject })
    upload.start()
  })
}

async function create (served: ResumableServer, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return await ask(served, '/m/in', { method: 'POST', headers: { ...tus, 'upload-metadata': metadataOf({ filename: 'a.bin' }), ...headers }, ...(body === undefined ? {} : { body }) })
}

async function begun (served: ResumableServer, headers: Record<string, string>): Promise<string> {
  const { headers: { location } } = await create(served, headers)
  return location as string
}

async function head (served: ResumableServer, location: string, headers: Record<string, string> = {}): Promise<Answer> {
  return await ask(served, location, { method: 'HEAD', headers: { ...tus, ...headers } })
}

async function patch (served: ResumableServer, location: string, { offset, body, headers }: { offset: number, body: Buffer, headers?: Record<string, string> }): Promise<Answer> {
  return await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': String(offset), ...headers }, body })
}

t.test('a client whose connection is cut three times uploads a file whole', async t => {
  const served = await resumableServer(t)
  const content = randomBytes(3_000_000)
  let cuts = 0
  served.onRequest = request => {
    if (request.method !== 'PATCH' || cuts === 3) return
    const at = 50_000 + Math.floor(Math.random() * 300_000)
    let came = 0
    request.on('data', (chunk: Buffer) => {
      came += chunk.length
      if (came < at || request.socket.destroyed) return
      cuts++
      request.socket.destroy()
    })
  }
  const offsets: number[] = []
  const upload = await uploaded(content, {
    endpoint: `${served.url}/m/in`,
    metadata: { filename: 'photo.bin', filetype: 'application/octet-stream' },
    onAfterResponse: (request, response) => { if (request.getMethod() === 'HEAD') offsets.push(Number(response.getHeader('Upload-Offset'))) }
  })
  t.equal(cuts, 3)
  t.equal(offsets.length, 3)
  t.ok(offsets.every(offset => offset > 0), 'what had come was kept')
  t.match(new URL(upload.url ?? '').pathname, /^\/m\/in\/\.uploads\/[0-9a-f]{32}$/)
  t.equal(served.writer.hashOf('in/photo.bin'), sha256(content))
  t.equal(served.writer.added.length, 1)
  t.same(readdirSync(served.directory).filter(name => !name.endsWith('.json')), [], 'nothing is staged any more')
  t.same(served.faults, [])
})

t.test('a client sends chunks, streams of unknown length, data at creation, and nothing at all', async t => {
  const served = await resumableServer(t)
  const content = randomBytes(300_000)
  const endpoint = `${served.url}/m/in`
  const stream = (): PassThrough => {
    const through = new PassThrough()
    through.end(content)
    return through
  }
  await uploaded(content, { endpoint, chunkSize: 70_000, metadata: { filename: 'chunks.bin' } })
  await uploaded(stream(), { endpoint, chunkSize: 70_000, uploadLengthDeferred: true, metadata: { filename: 'stream.bin' } })
  await uploaded(content, { endpoint, uploadDataDuringCreation: true, metadata: { filename: 'at once.bin' } })
  await uploaded(Buffer.alloc(0), { endpoint, metadata: { filename: 'empty.bin' } })
  for (const name of ['chunks', 'stream', 'at once']) t.equal(served.writer.hashOf(`in/${name}.bin`), sha256(content), name)
  t.equal(served.writer.hashOf('in/empty.bin'), sha256(Buffer.alloc(0)))
})

t.test('a stream of unknown length whose last part is cut after its length was told goes on', async t => {
  const served = await resumableServer(t)
  const content = randomBytes(400_000)
  let cuts = 0
  served.onRequest = request => {
    if (request.headers['upload-length'] === undefined || request.method !== 'PATCH' || cuts > 0) return
    cuts++
    request.once('data', () => request.socket.destroy())
  }
  const through = new PassThrough()
  through.end(content)
  await uploaded(through, { endpoint: `${served.url}/m/in`, chunkSize: 250_000, uploadLengthDeferred: true, metadata: { filename: 'stream.bin' } })
  t.equal(cuts, 1)
  t.equal(served.writer.hashOf('in/stream.bin'), sha256(content))
})

t.test('an upload tells its offset, its length, its metadata and when it ends', async t => {
  const served = await resumableServer(t)
  const metadata = metadataOf({ filename: 'a.bin', other: 'ü' })
  const created = await create(served, { 'upload-length': '10', 'upload-metadata': metadata })
  t.match(created, { status: 201, headers: { 'tus-resumable': '1.0.0', 'upload-expires': / GMT$/ } })
  const location = created.headers.location as string
  t.match(await patch(served, location, { offset: 0, body: Buffer.from('12345') }), { status: 204, headers: { 'upload-offset': '5', 'upload-expires': / GMT$/ } })
  const answer = await head(served, location)
  t.match(answer, { status: 200, headers: { 'upload-offset': '5', 'upload-length': '10', 'upload-metadata': metadata, 'cache-control': 'no-store', 'tus-resumable': '1.0.0' } })
  t.notOk(Object.keys(answer.headers).some(name => name.startsWith('access-control')))
  const done = await patch(served, location, { offset: 5, body: Buffer.from('67890') })
  t.match(done, { status: 204, headers: { 'upload-offset': '10', 'content-location': '/m/in/a.bin' } })
  t.notOk('location' in done.headers)
  const deferred = await begun(served, { 'upload-defer-length': '1' })
  t.match((await head(served, deferred)).headers, { 'upload-offset': '0', 'upload-defer-length': '1' })
})

t.test('an upload is ended by DELETE, and then is not there', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '10' })
  t.equal((await ask(served, location, { method: 'DELETE', headers: tus })).status, 204)
  t.equal((await head(served, location)).status, 404)
  t.equal((await ask(served, location, { method: 'DELETE', headers: tus })).status, 404)
  t.same(readdirSync(served.directory), [])
})

t.test('what is done is remembered for the client that did not hear of it, and done once', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '3' })
  await patch(served, location, { offset: 0, body: Buffer.from('abc') })
  t.match(await head(served, location), { status: 200, headers: { 'upload-offset': '3', 'upload-length': '3', 'content-location': '/m/in/a.bin' } })
  t.match(await patch(served, location, { offset: 3, body: Buffer.alloc(0) }), { status: 204, headers: { 'upload-offset': '3', 'content-location': '/m/in/a.bin' } })
  t.equal((await patch(served, location, { offset: 3, body: Buffer.from('d') })).status, 413)
  t.equal((await ask(served, location, { method: 'DELETE', headers: tus })).status, 400, 'the file itself is deleted, not its upload')
  t.equal((await head(served, location)).headers['upload-offset'], '3')
  t.same(served.writer.added, ['in/a.bin'])
})

for (const [how, again] of [['HEAD', head], ['an empty PATCH', async (served: ResumableServer, location: string) => await patch(served, location, { offset: 3, body: Buffer.alloc(0) })]] as const) {
  t.test(`a file that could not be kept at first is kept when the client asks again by ${how}`, async t => {
    const served = await resumableServer(t)
    const location = await begun(served, { 'upload-length': '3' })
    served.writer.before = () => { throw new MediaError('unavailable') }
    t.match(await patch(served, location, { offset: 0, body: Buffer.from('abc') }), { status: 503, headers: { 'tus-resumable': '1.0.0' } })
    t.equal((await head(served, location)).status, 503, 'an offset at the end would be taken for success')
    served.writer.before = () => undefined
    t.match((await again(served, location)).headers, { 'upload-offset': '3', 'content-location': '/m/in/a.bin' })
    t.equal(served.writer.hashOf('in/a.bin'), sha256(Buffer.from('abc')))
    t.match(served.faults, [{ code: 'unavailable' }, { code: 'unavailable' }])
  })
}

t.test('a file that was whole when the server ended is kept by the next one', async t => {
  const first = await resumableServer(t)
  const location = await begun(first, { 'upload-length': '3' })
  first.writer.before = () => { throw new MediaError('unavailable') }
  await patch(first, location, { offset: 0, body: Buffer.from('abc') })
  await first.close()
  const second = await resumableServer(t, { directory: first.directory })
  t.match(await head(second, location), { status: 200, headers: { 'upload-offset': '3' } })
  t.same(second.writer.added, ['in/a.bin'])
})

t.test('what is refused for what it is leaves nothing behind', async t => {
  const served = await resumableServer(t)
  for (const [code, status] of [['unsupported-media-type', 415], ['broken-image', 422], ['conflict', 422]] as const) {
    served.writer.before = () => { throw new MediaError(code, { detail: 'No' }) }
    const location = await begun(served, { 'upload-length': '3' })
    t.match(await patch(served, location, { offset: 0, body: Buffer.from('abc') }), { status, headers: { 'x-code': code, 'tus-resumable': '1.0.0' }, text: 'No' })
    t.equal((await head(served, location)).status, 404)
    t.match(await create(served, { 'upload-length': '3', ...part }, Buffer.from('abc')), { status, headers: { 'x-code': code } })
  }
  t.same(readdirSync(served.directory), [])
  served.writer.before = () => { throw new Error('unforeseen') }
  const location = await begun(served, { 'upload-length': '3' })
  t.equal((await patch(served, location, { offset: 0, body: Buffer.from('abc') })).status, 500)
  t.equal((await head(served, location)).status, 500)
  served.writer.before = () => undefined
  t.equal((await head(served, location)).status, 200, 'it was kept')
})

t.test('what is certain already is refused before anything is sent', async t => {
  const seen: unknown[] = []
  const served = await resumableServer(t, { admit: async file => { seen.push(file); throw new MediaError('conflict') } })
  t.equal((await create(served, { 'upload-length': '3' })).status, 409)
  t.same(seen, [{ filename: 'a.bin', declaredType: undefined, size: 3, waiting: 0 }])
  t.same(readdirSync(served.directory), [])
})

t.test('the writer is told what the client told', async t => {
  const served = await resumableServer(t)
  const seen: unknown[] = []
  served.writer.before = (name, { size, declaredType, principal }) => { seen.push([name, size, declaredType, principal?.name]) }
  await create(served, { 'upload-length': '3', ...part, 'x-who': 'ada', 'upload-metadata': metadataOf({ filename: 'ü b.png', filetype: 'image/png' }) }, Buffer.from('abc'))
  await create(served, { 'upload-length': '0', 'upload-metadata': metadataOf({ name: 'c.png', type: 'image/png' }) })
  await create(served, { 'upload-length': '0', 'upload-metadata': 'is_confidential' })
  t.same(seen, [['ü b.png', 3, 'image/png', 'ada'], ['c.png', 0, 'image/png', undefined], [undefined, 0, undefined, undefined]])
})

t.test('a request that takes over an upload gets it from one whose connection hangs', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '10' })
  const hanging = httpRequest({ host: '127.0.0.1', port: served.port, path: location, method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'content-length': '10' } })
  hanging.on('error', () => undefined)
  hanging.write('12345')
  const ended = new Promise<IncomingMessage>(resolve => hanging.once('response', resolve))
  await eventually(async () => readdirSync(served.directory).length === 2)
  await eventually(async () => (await head(served, location)).headers['upload-offset'] === '5')
  t.match(await patch(served, location, { offset: 5, body: Buffer.from('67890') }), { status: 204, headers: { 'upload-offset': '10' } })
  const { statusCode, headers } = await ended
  t.match([statusCode, headers['upload-offset'], headers.connection], [204, '5', 'close'], 'it is told how far it came')
  hanging.destroy()
  t.equal(served.writer.hashOf('in/a.bin'), sha256(Buffer.from('1234567890')))
})

t.test('a connection that is cut keeps what came, and holds no lock', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '1000000' })
  let offset = 0
  for (let round = 0; round < 5; round++) {
    const socket = connect(served.port, '127.0.0.1')
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: ${offset}\r\nContent-Length: ${1_000_000 - offset}\r\n\r\n`)
    socket.write(randomBytes(10_000))
    const reached = offset + 10_000
    await eventually(async () => Number((await head(served, location)).headers['upload-offset']) === reached)
    socket.destroy()
    offset = reached
  }
  t.equal((await head(served, location)).headers['upload-offset'], '50000')
  t.same(served.faults, [])
})

t.test('creation with a body that is cut leaves nothing behind', async t => {
  const served = await resumableServer(t)
  const cut = httpRequest({ host: '127.0.0.1', port: served.port, path: '/m/in', method: 'POST', headers: { ...part, 'upload-length': '10', 'content-length': '10' } })
  cut.on('error', () => undefined)
  cut.write('12345')
  await eventually(() => readdirSync(served.directory).length === 2)
  cut.destroy()
  t.ok(await eventually(() => readdirSync(served.directory).length === 0))
})

t.test('a client that brings nothing for too long is told, and what it brought stays', async t => {
  const served = await resumableServer(t, { stallMs: 300 })
  const location = await begun(served, { 'upload-length': '10' })
  const slow = httpRequest({ host: '127.0.0.1', port: served.port, path: location, method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'content-length': '10' } })
  slow.on('error', () => undefined)
  slow.write('12345')
  const { statusCode } = await new Promise<IncomingMessage>(resolve => slow.once('response', resolve))
  slow.destroy()
  t.equal(statusCode, 408)
  t.equal((await head(served, location)).headers['upload-offset'], '5')
})

t.test('uploads take the places that others take', async t => {
  const { UploadSlots } = await import('../../../../lib/writing/slots.ts')
  const slots = new UploadSlots(1)
  const served = await resumableServer(t, { slots })
  served.writer.before = () => slots.take()() // the writer takes one of its own
  const leave = slots.take()
  const location = await begun(served, { 'upload-length': '3' })
  t.equal((await patch(served, location, { offset: 0, body: Buffer.from('abc') })).status, 503)
  t.equal((await head(served, location)).headers['upload-offset'], '0')
  leave()
  t.equal((await patch(served, location, { offset: 0, body: Buffer.from('abc') })).status, 204)
  t.doesNotThrow(() => slots.take(), 'it was given back')
})

t.test('what is too old is gone, and then removed', async t => {
  const served = await resumableServer(t, { expiryMs: 500 })
  const location = await begun(served, { 'upload-length': '10' })
  await patch(served, location, { offset: 0, body: Buffer.from('12345') })
  const done = await begun(served, { 'upload-length': '0' })
  t.equal((await head(served, done)).status, 200)
  t.ok(await eventually(async () => (await head(served, location)).status !== 200))
  t.ok(await eventually(() => readdirSync(served.directory).length === 0), 'by the timer')
  t.equal((await head(served, location)).status, 404)
  t.same(served.writer.added, ['in/a.bin'], 'what became a file stays')
})

t.test('an upload that expired and was not removed yet is gone', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '10' })
  const kept = await begun(served, { 'upload-length': '10' })
  const record = `${served.directory}/${readdirSync(served.directory).find(name => name.endsWith(`${location.slice(-32)}.json`))}`
  writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), created: Date.now() - 61_000 }))
  t.equal((await head(served, location)).status, 410)
  t.match(await patch(served, location, { offset: 0, body: Buffer.from('1') }), { status: 410, headers: { 'x-code': 'not-found', 'tus-resumable': '1.0.0' } })
  await served.uploads.sweep()
  t.equal((await head(served, location)).status, 404)
  t.equal((await head(served, kept)).status, 200)
})

t.test('what an end in the middle left is removed once it is old; what is not ours stays', async t => {
  const served = await resumableServer(t)
  const names = ['a'.repeat(32), 'b'.repeat(96), `${'c'.repeat(96)}.json`, 'other.txt']
  for (const name of names) writeFileSync(`${served.directory}/${name}`, '{')
  await served.uploads.sweep()
  t.same(readdirSync(served.directory).toSorted(), names.toSorted(), 'they may be written this moment')
  for (const name of names) utimesSync(`${served.directory}/${name}`, 1, 1)
  await served.uploads.sweep()
  t.same(readdirSync(served.directory), ['other.txt'])
})

t.test('a damaged record, bytes without a record, and a record without bytes are no uploads', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '10' })
  const bytes = `${served.directory}/${readdirSync(served.directory).find(name => name.endsWith(location.slice(-32)))}`
  const record = readFileSync(`${bytes}.json`)
  for (const damaged of ['', '{"created":', '[]', 'null', '{}']) {
    writeFileSync(`${bytes}.json`, damaged)
    t.equal((await head(served, location)).status, 404, damaged)
  }
  writeFileSync(`${bytes}.json`, record)
  rmSync(bytes)
  t.equal((await head(served, location)).status, 410)
})

t.test('a record that cannot be read is a fault of the server, and a sweep waits for who writes', async t => {
  const served = await resumableServer(t)
  const location = await begun(served, { 'upload-length': '10' })
  const record = `${served.directory}/${readdirSync(served.directory).find(name => name.endsWith('.json'))}`
  const gate = { open: (): void => undefined }
  const opened = new Promise<void>(resolve => { gate.open = resolve })
  served.writer.before = async () => {
    const facts = JSON.parse(readFileSync(record, 'utf8')) as object
    writeFileSync(record, JSON.stringify({ ...facts, created: 1 }))
    await opened
  }
  const patched = patch(served, location, { offset: 0, body: Buffer.from('1234567890') })
  await eventually(() => readFileSync(record, 'utf8').includes('"created":1}'))
  const locks = new UploadLocks(undefined, 50)
  const swept = served.uploads.sweep()
  gate.open()
  await swept
  t.equal((await patched).status, 204, 'it was not removed from under it')
  rmSync(record)
  mkdirSync(record)
  t.equal((await head(served, location)).status, 500)
  t.match(served.faults, [{ code: 'internal' }])
  const directory = await scratch(t)
  const unfinished = new Unfinished()
  const staging = await Staging.open({ directory, expiryMs: 1, unfinished })
  const id = 'a'.repeat(96)
  await staging.records.write(id, { created: 1, size: 1 })
  await locks.take(id, () => undefined)
  const awake = setInterval(() => undefined, 1000)
  t.equal(await sweepUploads({ directory, expiryMs: 1, staging, locks, unfinished }), 0)
  clearInterval(awake)
  await locks.give(id)
  t.equal(await sweepUploads({ directory, expiryMs: 1, staging, locks, unfinished }), 1)
})

t.test('only so much may lie unfinished, of one principal and altogether', async t => {
  const directory = `${await scratch(t)}/uploads`
  const bounds = { uploads: 3, bytes: 1000, totalUploads: 5, totalBytes: 2500 }
  const served = await resumableServer(t, { directory, bounds, maxBytes: 2000 })
  const by = async (who: string, size: number): Promise<Answer> => await create(served, { 'x-who': who, ...(size < 0 ? { 'upload-defer-length': '1' } : { 'upload-length': String(size) }) })
  t.equal((await by('ada', -1)).status, 201, 'one may be of any size; of an unknown one the largest counts')
  t.match(await by('ada', 1), { status: 507, headers: { 'x-code': 'quota-exceeded' } })
  const { headers: { location } } = await by('bob', 200)
  t.equal((await by('bob', 200)).status, 201)
  t.match(await by('cyd', 500), { status: 507, headers: { 'x-code': 'insufficient-storage' } })
  t.equal((await by('bob', 50)).status, 201)
  t.match(await by('bob', 0), { status: 507, headers: { 'x-code': 'quota-exceeded' } })
  await ask(served, location as string, { method: 'DELETE', headers: { ...tus, 'x-who': 'bob' } })
  t.equal((await by('bob', 0)).status, 201, 'what was ended does not count')
  t.equal((await by('bob', 20)).status, 201, 'nor what is a file')
  await served.close()
  const next = await resumableServer(t, { directory, bounds, maxBytes: 2000 })
  t.equal((await create(next, { 'x-who': 'bob', 'upload-length': '10' })).status, 507, 'it is known to the next')
  for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`)
  await next.uploads.sweep()
  t.equal((await create(next, { 'x-who': 'bob', 'upload-length': '10' })).status, 201, 'what somebody else removed does not count')
})

t.test('a full disk is told as such, and what came before stays', { skip: process.getuid?.() === 0 ? false : 'a small file system can only be mounted by root' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', [directory]))
  const served = await resumableServer(t, { directory: `${directory}/uploads` })
  const content = randomBytes(2_000_000)
  const location = await begun(served, { 'upload-length': '2000000' })
  t.match(await patch(served, location, { offset: 0, body: content }), { status: 507, headers: { 'x-code': 'insufficient-storage' } })
  t.match(await create(served, { 'upload-length': '5' }), { status: 507 }, 'a record has no room either')
  const offset = Number((await head(served, location)).headers['upload-offset'])
  t.ok(offset > 0)
  execFileSync('mount', ['-o', 'remount,size=4m', directory])
  t.equal((await patch(served, location, { offset, body: content.subarray(offset) })).status, 204)
  t.equal(served.writer.hashOf('in/a.bin'), sha256(content))
})

t.test('a directory that cannot be read is told of, and none that cannot be made is opened', async t => {
  const parent = await scratch(t, { file: '' })
  await t.rejects(resumableServer(t, { directory: `${parent}/file/uploads` }), { code: 'ENOTDIR' })
  const served = await resumableServer(t, { directory: `${parent}/uploads` })
  rmSync(served.directory, { recursive: true })
  await served.uploads.sweep()
  t.same(served.warnings, ['Unfinished uploads could not be looked through'])
})
