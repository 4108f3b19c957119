import { truncate, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test as Tap } from 'tap'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles, type LargeFileOptions } from '../../../lib/sources/large-files.ts'
import { ChunkPool, CHUNK_BYTES } from '../../../lib/sources/chunk-pool.ts'
import { Descriptors } from '../../../lib/sources/descriptors.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { bytesOf, fileAt } from '../../contracts/source.ts'
import { scratch, type Test } from '../../helpers/app.ts'
import { eventually, openBelow } from '../../helpers/process.ts'

const SIZE = 3 * CHUNK_BYTES + 17
const content = Buffer.from(Array.from({ length: SIZE }, (_, n) => (n * 7 + (n >> 9)) % 256))

interface Opened { source: Source, root: string, files: LargeFiles }

async function open (t: Test, options: Partial<LargeFileOptions> = {}, names = ['a.bin']): Promise<Opened> {
  const root = await scratch(t, Object.fromEntries(names.map(name => [name, content])))
  const files = new LargeFiles({ poolBytes: 8 * CHUNK_BYTES, maxDescriptors: 2, descriptorIdleMs: 60, ...options })
  t.teardown(async () => await files.close())
  return { root, files, source: await fileSource({ root, symlinks: 'inside', visibleDotNames: [], caseInsensitive: false }, files) }
}

async function part (t: Tap, source: Source, range: { start: number, end: number }): Promise<Buffer> {
  return await bytesOf(await (await fileAt(t, source, 'a.bin')).representation.open(range))
}

async function stream (t: Tap, source: Source, name: string, range?: { start: number, end: number }): Promise<Readable> {
  return await (await fileAt(t, source, name)).representation.open(range) as Readable
}

/** Sends what `make` opens to one client, over a real socket. */
async function sent (t: Test, make: () => Promise<Readable | Buffer>, read: (response: IncomingMessage) => Promise<void>): Promise<void> {
  const server = createServer((_request, response) => {
    void make().then(body => {
      if (Buffer.isBuffer(body)) {
        response.end(body)
        return
      }
      response.once('close', () => body.destroy())
      body.once('error', () => response.destroy())
      body.pipe(response)
    })
  })
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  await new Promise<void>((resolve, reject) => {
    get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false }, response => { read(response).then(resolve, reject) }).on('error', reject)
  })
}

async function received (response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

t.test('a response gets the bytes of a file, whole and in part, from shared chunks', async t => {
  const { source } = await open(t)
  for (const range of [undefined, { start: 0, end: 9 }, { start: CHUNK_BYTES - 5, end: CHUNK_BYTES * 2 + 5 }, { start: 100, end: CHUNK_BYTES - 1 }, { start: SIZE - 1, end: SIZE - 1 }]) {
    await sent(t, async () => await stream(t, source, 'a.bin', range), async response => {
      t.ok((await received(response)).equals(range === undefined ? content : content.subarray(range.start, range.end + 1)), JSON.stringify(range))
    })
  }
})

t.test('a few bytes come as a copy, within one chunk, across two, and from a chunk that is there', async t => {
  const { source, root } = await open(t)
  for (const [start, end] of [[10, 50], [10, 50], [20, 60], [CHUNK_BYTES - 5, CHUNK_BYTES + 5], [SIZE - 1, SIZE - 1]] as const) {
    t.ok((await part(t, source, { start, end })).equals(content.subarray(start, end + 1)), `${start} to ${end}`)
  }
  const { representation } = await fileAt(t, source, 'a.bin')
  await truncate(join(root, 'a.bin'), 2 * CHUNK_BYTES)
  for (let n = 0; n < 2; n++) await t.rejects(async () => await representation.open({ start: SIZE - 5, end: SIZE - 1 }), { name: 'RepresentationChanged' })
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('many clients read one file through few buffers', async t => {
  const { source } = await open(t, { poolBytes: 2 * CHUNK_BYTES })
  await Promise.all(Array.from({ length: 12 }, async () => await sent(t, async () => await stream(t, source, 'a.bin'), async response => {
    t.ok((await received(response)).equals(content))
  })))
})

t.test('without any buffer to spare a reader reads small for itself', async t => {
  const { source } = await open(t, { poolBytes: 0 })
  await sent(t, async () => await stream(t, source, 'a.bin'), async response => {
    t.ok((await received(response)).equals(content))
  })
})

t.test('a stream that is not piped into a response gives copies', async t => {
  const { source } = await open(t)
  const body = await stream(t, source, 'a.bin')
  t.ok((await bytesOf(body.pipe(new PassThrough()))).equals(content))
  await sent(t, async () => await stream(t, source, 'a.bin'), async response => { response.destroy() })
})

t.test('descriptors are kept while they are asked for, bounded, and closed when idle', async t => {
  const { source, root } = await open(t, { maxDescriptors: 2, descriptorIdleMs: 150 }, ['a.bin', 'b.bin', 'c.bin'])
  for (const name of ['a.bin', 'b.bin', 'c.bin', 'a.bin']) await bytesOf(await stream(t, source, name))
  t.ok(openBelow(root) <= 2, 'at most two are kept')
  t.ok(openBelow(root) > 0)
  t.ok(await eventually(() => openBelow(root) === 0), 'none stays when nobody asks')
})

t.test('more files than are kept may be read at once', async t => {
  const { source, root } = await open(t, { maxDescriptors: 1 }, ['a.bin', 'b.bin', 'c.bin'])
  const streams = await Promise.all(['a.bin', 'b.bin', 'c.bin'].map(async name => await stream(t, source, name)))
  t.equal(openBelow(root), 3)
  for (const body of streams) t.ok((await bytesOf(body)).equals(content))
  t.ok(await eventually(() => openBelow(root) <= 1))
})

t.test('a changed file gets a new descriptor, while the old one serves who has it', async t => {
  const { source, root } = await open(t)
  const before = await stream(t, source, 'a.bin')
  const { rename } = await import('node:fs/promises')
  await writeFile(join(root, 'new.bin'), Buffer.alloc(SIZE + 1, 1))
  await rename(join(root, 'new.bin'), join(root, 'a.bin'))
  const after = await stream(t, source, 'a.bin')
  t.ok((await bytesOf(before)).equals(content))
  t.equal((await bytesOf(after)).length, SIZE + 1)
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('a file that shrinks while it is sent breaks the connection', async t => {
  for (const poolBytes of [0, 8 * CHUNK_BYTES]) {
    const { source, root } = await open(t, { poolBytes })
    await sent(t, async () => {
      const body = await stream(t, source, 'a.bin')
      await truncate(join(root, 'a.bin'), CHUNK_BYTES + 10)
      return body
    }, async response => { await t.rejects(received(response), { code: 'ECONNRESET' }) }).catch((error: unknown) => { t.match(error, { code: 'ECONNRESET' }) })
    t.ok(await eventually(() => openBelow(root) === 0), 'and leaks nothing')
  }
})

t.test('a reader of copies is told that the file shrank', async t => {
  const { source, root } = await open(t)
  const body = await stream(t, source, 'a.bin')
  await truncate(join(root, 'a.bin'), 5)
  await t.rejects(bytesOf(body), { code: 'ERR_FILE_SHRUNK' })
})

t.test('a client that goes away midway leaves nothing open', async t => {
  const { source, root } = await open(t)
  for (let n = 0; n < 5; n++) {
    await sent(t, async () => await stream(t, source, 'a.bin'), async response => {
      await new Promise(resolve => response.once('data', resolve))
      response.destroy()
    })
  }
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('a stream destroyed while it reads lets go of its descriptor when the read is done', async t => {
  const { source, root } = await open(t)
  const body = await stream(t, source, 'a.bin')
  body.read(0)
  body.destroy()
  await new Promise(resolve => body.once('close', resolve))
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('closing keeps what is being read open until it is done', async t => {
  const { source, root, files } = await open(t)
  const body = await stream(t, source, 'a.bin')
  await files.close()
  t.equal(openBelow(root), 1)
  t.ok((await bytesOf(body)).equals(content))
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('a small file that is read while it shrinks is a change', async t => {
  const { source, root } = await open(t)
  await writeFile(join(root, 's.txt'), 'x'.repeat(1000))
  const { representation } = await fileAt(t, source, 's.txt')
  t.equal((await bytesOf(await representation.open({ start: 10, end: 19 }))).length, 10)
  await truncate(join(root, 's.txt'), 3)
  await t.rejects(async () => await representation.open(), { name: 'RepresentationChanged' })
})

t.test('a lease is released once, however often one says so', async t => {
  const { root } = await open(t)
  const descriptors = new Descriptors({ maxDescriptors: 1, descriptorIdleMs: 50 }, () => {})
  const { lstat } = await import('node:fs/promises')
  const { revisionOf } = await import('../../../lib/sources/stored-file.ts')
  const path = join(root, 'a.bin')
  const stored = { path, size: SIZE, revision: revisionOf(await lstat(path, { bigint: true })), changed: 0 }
  const [one, two] = [await descriptors.acquire(stored), await descriptors.acquire(stored)]
  t.equal(one.file, two.file)
  one.release()
  one.release()
  t.equal(one.file.leases, 1)
  await t.rejects(descriptors.acquire({ ...stored, path: join(root, 'none') }), { name: 'RepresentationChanged' })
  two.release()
  await descriptors.close()
  t.ok(await eventually(() => openBelow(root) === 0))
})

t.test('a descriptor opened within the grain of the clock is opened anew after it', async t => {
  const { root } = await open(t)
  const descriptors = new Descriptors({ maxDescriptors: 1, descriptorIdleMs: 10_000 }, () => {})
  const { lstat } = await import('node:fs/promises')
  const { revisionOf } = await import('../../../lib/sources/stored-file.ts')
  const path = join(root, 'a.bin')
  const stored = { path, size: SIZE, revision: revisionOf(await lstat(path, { bigint: true })), changed: Date.now() }
  const one = await descriptors.acquire(stored)
  one.release()
  const two = await descriptors.acquire(stored)
  two.release()
  t.equal(two.file, one.file)
  Object.assign(one.file, { opened: Date.now() - 2500, stored: { ...stored, changed: Date.now() - 3000 } })
  const three = await descriptors.acquire({ ...stored, changed: Date.now() - 3000 })
  three.release()
  t.not(three.file, one.file)
  await descriptors.close()
})

t.test('a chunk that cannot be read is not kept, and its buffer serves again', async t => {
  const pool = new ChunkPool(CHUNK_BYTES)
  const broken = { fd: -1, retired: false, stored: { size: 10 } } as never
  const chunk = pool.hold(broken, 0)
  await t.rejects(async () => await chunk?.loading)
  t.equal(pool.hold({ fd: -1, stored: { size: 1 } } as never, 1), undefined, 'the only buffer is held')
  if (chunk !== undefined) pool.release(chunk)
  t.equal(pool.holdLoaded(broken, 0), undefined)
  const again = pool.hold(broken, 0)
  t.equal(again?.buffer, chunk?.buffer)
  await t.rejects(async () => await again?.loading)
  await wait(1)
})
