import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { RepresentationChanged } from '../../../lib/representation.ts'
import { s3Source } from '../../../lib/sources/s3.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import { scratch } from '../../helpers/app.ts'
import { content, taken } from '../../helpers/origin.ts'
import { freePort } from '../../helpers/process.ts'
import { noRadosgw, radosgw, signedFetch } from '../../helpers/radosgw.ts'
import { configOf, key, newSource, sourceOf, sourceWith, told } from './s3/stores.ts'

t.test('a bucket as a source', { skip: noRadosgw }, async t => {
  sourceContract(t, async (t, files) => await sourceWith(t, files))
})

t.test('a part of a bucket as a source', { skip: noRadosgw }, async t => {
  sourceContract(t, async (t, files) => await sourceWith(t, files, { prefix: 'all of/the originals/' }))
})

t.test('what is found', { skip: noRadosgw }, async t => {
  t.test('names with a leading dot are hidden, and what is below them', async t => {
    const source = await sourceWith(t, { '.env': 'secret', '.git/config': 'secret', 'a/.hidden': 'secret', 'a/.b/c.txt': 'secret', 'a/d.txt': 'd' })
    for (const hidden of ['.env', '.git', '.git/config', 'a/.hidden', 'a/.b', 'a/.b/c.txt']) {
      t.equal(await source.stat(key(hidden)), undefined, hidden)
      t.equal(await source.list(key(hidden), 10), undefined, hidden)
      await t.rejects(source.presigned(key(hidden)), { code: 'not-found' }, hidden)
    }
    t.same((await source.list(key(''), 10))?.entries.map(({ name }) => name), ['a'])
    t.same((await source.list(key('a'), 10))?.entries.map(({ name }) => name), ['d.txt'])
  })

  t.test('no key leads out of the prefix, or to what no object can be named', async t => {
    const { source, config } = await newSource(t, { prefix: 'in/' })
    const outside = await sourceOf(t, { ...config, prefix: '' })
    await outside.client.put('secret.txt', Buffer.from('secret'))
    await outside.client.put('in/there.txt', Buffer.from('there'))
    t.ok(await source.stat(key('there.txt')))
    for (const bad of ['../secret.txt', '..', '.', 'a/../../secret.txt', '/secret.txt', '//secret.txt', 'there.txt/', 'a//b', '\uD800.txt', 'x'.repeat(1022), `${'x/'.repeat(600)}y`]) {
      t.equal(await source.stat(key(bad)), undefined, bad.slice(0, 20))
      t.equal(await source.list(key(bad), 10), undefined, bad.slice(0, 20))
    }
    await t.rejects(source.client.head('in/../secret.txt'), { code: 'bad-path' })
    await source.client.put(`in/${'x'.repeat(1021)}`, Buffer.from('long'))
    t.match(await source.stat(key('x'.repeat(1021))), { kind: 'file' }, 'the longest there is')
    t.equal(await source.list(key('x'.repeat(1021)), 10), undefined)
    t.equal(await source.stat(key('x'.repeat(1020))), undefined, 'a directory of a name so long could have no members')
  })

  t.test('objects that stand for directories are directories', async t => {
    const source = await sourceWith(t, { 'empty/': '', 'full/': '', 'full/a.txt': 'a', 'full/sub/': '' })
    for (const directory of ['empty', 'full', 'full/sub']) t.match(await source.stat(key(directory)), { kind: 'directory' }, directory)
    t.same(await source.list(key('empty'), 10), { entries: [], truncated: false })
    t.match((await source.list(key('full'), 10))?.entries, [{ name: 'a.txt', kind: 'file' }, { name: 'sub', kind: 'directory' }])
  })

  t.test('a file that has the name of a directory stands before it', async t => {
    const source = await sourceWith(t, { a: 'file', 'a/b.txt': 'b' })
    t.match(await source.stat(key('a')), { kind: 'file' })
    t.match(await source.list(key(''), 10), { entries: [{ name: 'a', kind: 'file', size: 4 }] })
    t.match(await source.stat(key('a/b.txt')), { kind: 'file' })
  })

  t.test('what a URL cannot name is not listed', async t => {
    const source = await sourceWith(t, { 'a.txt': '', 'back\\slash.txt': '', 'control\u0001.txt': '', 'dir \u0007/x': '', 'plus+ %41&<>.txt': '', '\uFFFD.txt': '' })
    t.same((await source.list(key(''), 10))?.entries.map(({ name }) => name), ['a.txt', 'plus+ %41&<>.txt'])
  })

  t.test('hidden members do not count against the limit, however many come first', async t => {
    const hidden = Array.from({ length: 130 }, (_, n) => [`d/.${n}`, ''] as const)
    const source = await sourceWith(t, Object.fromEntries([...hidden, ['d/a.txt', ''], ['d/b.txt', ''], ['d/c.txt', '']]))
    const listing = await source.list(key('d'), 2)
    t.same(listing?.entries.map(({ name }) => name), ['a.txt', 'b.txt'])
    t.equal(listing?.truncated, true)
    t.equal((await source.list(key('d'), 3))?.truncated, false)
  })

  t.test('an object stored in a coding is told so', async t => {
    const { source } = await newSource(t)
    const bytes = gzipSync('meow')
    await source.client.put('cat.txt', bytes, { type: 'text/wrong', fields: { 'content-encoding': 'gzip' } })
    const { representation } = await fileAt(t, source, 'cat.txt')
    t.match(representation, { type: 'text/plain; charset=utf-8', encoding: 'gzip', size: bytes.length })
    t.ok((await bytesOf(await representation.open())).equals(bytes))
  })
})

t.test('what is opened', { skip: noRadosgw }, async t => {
  t.test('what was replaced or removed since it was described is not opened', async t => {
    const source = await sourceWith(t, { 'a.txt': 'first of all', 'b.txt': 'b' })
    const [a, b] = [await fileAt(t, source, 'a.txt'), await fileAt(t, source, 'b.txt')]
    await source.client.put('a.txt', Buffer.from('other'))
    await source.client.delete('b.txt')
    const opened = [[a, undefined], [a, { start: 2, end: 3 }], [a, { start: 8, end: 9 }], [b, undefined], [b, { start: 0, end: 0 }]] as const
    for (const [{ representation }, range] of opened) await t.rejects(async () => await representation.open(range), RepresentationChanged)
    t.not((await fileAt(t, source, 'a.txt')).revision, a.revision)
  })

  t.test('small files and small parts come whole, large ones as they come', async t => {
    const large = content(3_000_000)
    const source = await sourceWith(t, { 'small.txt': 'small', 'large.bin': large.bytes() })
    t.ok(Buffer.isBuffer(await (await fileAt(t, source, 'small.txt')).representation.open()))
    const { representation } = await fileAt(t, source, 'large.bin')
    t.ok(Buffer.isBuffer(await representation.open({ start: 1_000_000, end: 1_000_099 })))
    const body = await representation.open()
    t.notOk(Buffer.isBuffer(body))
    t.equal((await taken(body as never)).hash, large.hash)
  })

  t.test('many that are opened and left do not use up the connections', async t => {
    const source = await sourceWith(t, { 'large.bin': Buffer.alloc(8_000_000) }, { connections: 2, timeoutMs: 5000 })
    const { representation } = await fileAt(t, source, 'large.bin')
    for (let n = 0; n < 6; n++) {
      const body = await representation.open()
      if (!Buffer.isBuffer(body)) (body as NodeJS.ReadableStream & { destroy (): void }).destroy()
    }
    t.equal((await bytesOf(await representation.open())).length, 8_000_000)
  })
})

t.test('presigned URLs', { skip: noRadosgw }, async t => {
  t.test('whoever has one gets the file from the store, with its type here', async t => {
    const source = await sourceWith(t, { 'a b+%41/Grüße & 猫.txt': 'meow' }, { prefix: "pre !'()*/" })
    const asked = key('a b+%41/Grüße & 猫.txt')
    const plain = await fetch(await source.presigned(asked))
    t.equal(plain.status, 200)
    t.equal(plain.headers.get('content-type'), 'text/plain; charset=utf-8')
    t.equal(await plain.text(), 'meow')
    const download = await fetch(await source.presigned(asked, { downloadName: 'a "b"; c\uD800.txt', expiresSeconds: 60 }))
    t.equal(download.headers.get('content-disposition'), 'attachment; filename*=UTF-8\'\'a%20%22b%22%3B%20c%EF%BF%BD.txt')
    t.notMatch(await source.presigned(asked, { downloadName: 'a b' }), /\+/, 'not every store reads a plus sign as a space')
    t.equal((await fetch(await source.presigned(asked, { method: 'HEAD' }), { method: 'HEAD' })).status, 200)
    const other = (await source.presigned(asked)).replace('.txt?', '.doc?')
    t.equal((await fetch(other)).status, 403, 'and no other file')
  })

  t.test('they end', async t => {
    const source = await sourceWith(t, { 'a.txt': 'a' }, { presignSeconds: 120 })
    const url = new URL(await source.presigned(key('a.txt')))
    t.equal(url.searchParams.get('X-Amz-Expires'), '120')
    const soon = await source.presigned(key('a.txt'), { expiresSeconds: 1 })
    const late = new URL(soon)
    late.searchParams.set('X-Amz-Expires', '600000')
    t.equal((await fetch(late)).status, 403, 'nobody makes them last')
  })
})

t.test('who asks', { skip: noRadosgw }, async t => {
  t.test('without credentials what is public is found', async t => {
    const bucket = await radosgw(t)
    const { accessKeyId: _, secretAccessKey: __, ...rest } = configOf(bucket)
    const own = signedFetch(bucket)
    await own('/open.txt', { method: 'PUT', body: 'open' })
    for (const path of ['?acl', '/open.txt?acl']) t.equal((await own(path, { method: 'PUT', headers: { 'x-amz-acl': 'public-read' } })).status, 200)
    await own('/closed.txt', { method: 'PUT', body: 'closed' })
    const source = await sourceOf(t, rest)
    t.equal(String(await bytesOf(await (await fileAt(t, source, 'open.txt')).representation.open())), 'open')
    t.equal((await source.list(key(''), 10))?.entries.length, 2)
    await t.rejects(async () => await source.stat(key('closed.txt')), { code: 'forbidden' })
    const url = await source.presigned(key('open.txt'), { downloadName: 'x' })
    t.equal(url, `${bucket.endpoint}/${bucket.bucket}/open.txt`)
    t.equal(await (await fetch(url)).text(), 'open')
  })

  t.test('the secret can lie in a file', async t => {
    const { secretAccessKey, ...bucket } = await radosgw(t)
    const file = join(await scratch(t), 'secret')
    await writeFile(file, `${secretAccessKey}\n`)
    const source = await sourceOf(t, configOf(bucket, { secretAccessKeyFile: file }))
    t.equal(await source.stat(key('none.txt')), undefined)
    await t.rejects(s3Source(configOf(bucket, { secretAccessKeyFile: `${file}-not-there` })), { code: 'ENOENT' })
    await t.rejects(s3Source(configOf(bucket)), TypeError)
  })

  t.test('who is not believed is refused, and nobody is told by what', async t => {
    const bucket = await radosgw(t)
    const source = await sourceOf(t, { ...configOf(bucket), secretAccessKey: 'wrong-and-secret', sessionToken: 'token-and-secret' })
    const asked: Array<() => unknown> = [() => source.stat(key('a.txt')), () => source.list(key(''), 10), () => source.client.put('a.txt', Buffer.from('a')), () => source.writing.remove(key('a.txt'))]
    for (const ask of asked) {
      const error = await Promise.resolve().then(ask).then(() => undefined, (error: Error & { code?: string, detail?: string, context?: object }) => error)
      t.equal(error?.code, 'forbidden')
      t.equal(error?.detail, 'The object store s3 refuses this')
      t.match(error?.context, { store: 's3', status: 403 })
      t.notMatch(told(error), /and-secret|Signature=|AWS4/)
    }
    await t.rejects(source.list(key(''), 10), { code: 'forbidden', context: { reason: 'SignatureDoesNotMatch' } })
  })

  t.test('a bucket that is not there is no empty one', async t => {
    const source = await sourceOf(t, configOf(await radosgw(t), { bucket: 'never-made' }))
    await t.rejects(async () => await source.stat(key('a.txt')), { code: 'upstream-status', context: { reason: 'NoSuchBucket' } })
    await t.rejects(source.list(key(''), 10), { code: 'upstream-status', context: { reason: 'NoSuchBucket' } })
    await t.rejects((await source.writing.begin(key('a.txt'))).commit(), { code: 'upstream-status' })
  })
})

t.test('a store that is away is no store without files', async t => {
  const source = await sourceOf(t, configOf({ endpoint: `http://127.0.0.1:${await freePort()}`, bucket: 'none', accessKeyId: 'test', secretAccessKey: 'and-secret' }), { name: 'pictures' })
  for (let n = 0; n < 8; n++) {
    await t.rejects(async () => await source.stat(key('a.txt')), { code: 'unavailable', statusCode: 503, detail: 'The object store pictures is not available', headers: { 'retry-after': /^\d+$/ } })
  }
  await t.rejects(source.list(key(''), 10), { code: 'unavailable' })
  const draft = await source.writing.begin(key('a.txt'))
  await draft.write(Buffer.from('a'))
  await t.rejects(draft.commit(), { code: 'unavailable' })
  await t.rejects(source.writing.remove(key('a.txt')), { code: 'unavailable' })
  await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'unavailable' })
  t.equal(await source.writing.sweep(0), 0)
  t.match(await source.stat(key('')), { kind: 'directory' })
})
