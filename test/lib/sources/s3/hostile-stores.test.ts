import t, { type Test as Tap } from 'tap'
import { HotFiles } from '../../../../lib/cache/hot-files.ts'
import type { FoundFile } from '../../../../lib/sources/source.ts'
import type { S3Source } from '../../../../lib/sources/s3.ts'
import { fileAt } from '../../../contracts/source.ts'
import { write as writeFile } from '../../../contracts/writable.ts'
import type { Test } from '../../../helpers/app.ts'
import { certificate } from '../../../helpers/certificates.ts'
import { content, flush, head, origin, rawOrigin, reset, taken, tlsOrigin, write, type RawOrigin, type RawRequest } from '../../../helpers/origin.ts'
import { eventually } from '../../../helpers/process.ts'
import { errorXml, key, sourceOver, told } from './stores.ts'

/* Stores that do what none should: each answer is refused, in bounded time and memory. */

const DATE = 'Fri, 20 Nov 2026 12:00:00 GMT'
const object = (size: number): Record<string, string | number> => ({ 'content-length': size, 'etag': '"one"', 'last-modified': DATE })

/** A store that answers requests by their method, and a source over it. */
async function store (t: Test, answers: Partial<Record<string, (request: RawRequest) => unknown>>, own = {}): Promise<{ source: S3Source, store: RawOrigin }> {
  const store = await rawOrigin(t, async request => {
    const answer = answers[request.method]
    if (answer === undefined) await flush(request.socket, head(404, { 'content-length': 0 }))
    else await answer(request)
  })
  return { source: await sourceOver(t, store, own), store }
}

const bare = (status: number, fields: Record<string, string | number> = {}) => async ({ socket }: RawRequest): Promise<void> => await flush(socket, head(status, fields))
const bodied = (status: number, body: string, fields: Record<string, string | number> = {}) => async ({ socket }: RawRequest): Promise<void> => await flush(socket, head(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body), ...fields }) + body)

async function failureOf (work: () => unknown): Promise<Error & { code?: string }> {
  return await Promise.resolve().then(work).then(() => { throw new Error('Expected it to fail') }, (error: Error) => error)
}

async function found (t: Tap, source: S3Source): Promise<FoundFile['representation']> {
  return (await fileAt(t, source, 'a.bin')).representation
}

t.test('bodies', async t => {
  const large = content(500_000)

  t.test('one that breaks off goes on where it did', async t => {
    const { source, store: asked } = await store(t, {
      HEAD: bare(200, object(large.size)),
      GET: async ({ socket, headers }) => {
        const start = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
        const isRest = headers['if-range'] !== undefined
        await write(socket, head(isRest ? 206 : 200, { ...object(large.size - start), ...(isRest ? { 'content-range': `bytes ${start}-${large.size - 1}/${large.size}` } : {}) }))
        await write(socket, large.bytes(start, isRest ? large.size : 200_000))
        if (!isRest) socket.end()
      }
    })
    t.equal((await taken(await (await found(t, source)).open())).hash, large.hash)
    const rest = asked.requests.find(({ headers }) => headers['if-range'] !== undefined)
    t.equal(asked.requests.find(({ method }) => method === 'GET')?.headers['if-match'], '"one"')
    t.equal(rest?.headers['if-range'], '"one"')
    t.match(rest?.headers.authorization, /SignedHeaders=host;x-amz-content-sha256;x-amz-date,/, 'its signature still holds')
  })

  t.test('one that never comes whole fails, and does not end', async t => {
    const { source } = await store(t, {
      HEAD: bare(200, object(large.size)),
      GET: async ({ socket }) => {
        await write(socket, head(200, object(large.size)))
        await write(socket, large.bytes(0, 200_000))
        socket.end()
      }
    })
    const { error, bytes } = await taken(await (await found(t, source)).open())
    t.equal(error?.code, 'upstream-reset')
    t.ok(bytes < large.size)
  })

  t.test('one that pauses for ever fails', async t => {
    const { source } = await store(t, { HEAD: bare(200, object(large.size)), GET: async ({ socket }) => await flush(socket, `${head(200, object(large.size))}some`) }, { timeoutMs: 200 })
    const { error } = await taken(await (await found(t, source)).open())
    t.match(error?.code, /^upstream-/)
  })

  t.test('a small one that does not come whole is no file either', async t => {
    const { source } = await store(t, { HEAD: bare(200, object(100)), GET: async ({ socket }) => { await flush(socket, `${head(200, object(100))}some`); socket.end() } })
    const representation = await found(t, source)
    await t.rejects(async () => await representation.open())
  })

  for (const [what, bytes, fields] of [
    ['another size', 7, {}],
    ['another tag, although it was told which', 5, { etag: '"two"' }],
    ['no tag', 5, { etag: '' }]
  ] as const) {
    t.test(`${what} is not what was described`, async t => {
      const { source } = await store(t, { HEAD: bare(200, object(5)), GET: bodied(200, 'a'.repeat(bytes), { ...object(bytes), ...fields }) })
      const representation = await found(t, source)
      t.match(await failureOf(async () => await representation.open()), what === 'no tag' ? { code: 'upstream-malformed' } : { name: 'RepresentationChanged' })
    })
  }

  for (const [what, status, fields, body] of [
    ['the whole', 200, object(5), 'aaaaa'],
    ['another part', 206, { ...object(2), 'content-range': 'bytes 2-3/5' }, 'aa'],
    ['more than the part', 206, { ...object(5), 'content-range': 'bytes 1-2/5' }, 'aaaaa'],
    ['a part of nobody knows what', 206, { ...object(2), 'content-range': 'bytes 1-2/*' }, 'aa'],
    ['a part without saying which', 206, object(2), 'aa']
  ] as const) {
    t.test(`${what} is not the part that was asked for`, async t => {
      const { source } = await store(t, { HEAD: bare(200, object(5)), GET: bodied(status, body, fields) })
      const representation = await found(t, source)
      await t.rejects(async () => await representation.open({ start: 1, end: 2 }), { code: 'upstream-malformed' })
    })
  }

  t.test('a part, where the whole was asked for, is none', async t => {
    const { source } = await store(t, { HEAD: bare(200, object(5)), GET: bodied(206, 'aa', { ...object(2), 'content-range': 'bytes 1-2/5' }) })
    const representation = await found(t, source)
    await t.rejects(async () => await representation.open(), { code: 'upstream-malformed' })
  })
})

t.test('descriptions', async t => {
  for (const [what, fields] of [
    ['without a tag', { 'content-length': 5, 'last-modified': DATE }],
    ['with a weak tag', { ...object(5), etag: 'W/"one"' }],
    ['with a tag that is none', { ...object(5), etag: '"a"b"' }],
    ['without a date', { 'content-length': 5, 'etag': '"one"' }],
    ['with another date than HTTP knows', { ...object(5), 'last-modified': 'yesterday' }],
    ['without a length', { 'etag': '"one"', 'last-modified': DATE, 'transfer-encoding': 'chunked' }]
  ] as const) {
    t.test(`one ${what} is refused`, async t => {
      const { source } = await store(t, { HEAD: bare(200, fields) })
      await t.rejects(async () => await source.stat(key('a.bin')), { code: 'upstream-malformed' })
    })
  }

  t.test('a tag without quotes is told with them, and what it was sent by is no coding', async t => {
    const { source } = await store(t, { HEAD: bare(200, { ...object(5), 'etag': 'abc', 'content-encoding': 'aws-chunked,gzip', 'x-amz-version-id': 'v1' }) })
    const { representation, revision } = await fileAt(t, source, 'a.bin')
    t.match(representation, { entityTag: '"abc"', encoding: 'gzip' })
    t.match(revision, /v1/)
  })

  t.test('those who look at once through what is kept in memory share one request', async t => {
    const { source, store: asked } = await store(t, { HEAD: bare(200, object(5)) })
    const kept = new HotFiles({ revalidateMs: 0 }).over(source)
    await Promise.all(Array.from({ length: 20 }, async () => await kept.stat(key('a.bin'))))
    t.equal(asked.requests.length, 1)
    await kept.stat(key('a.bin'))
    t.equal(asked.requests.length, 2, 'and who looks later has one of his own')
  })
})

t.test('a redirect is not followed', async t => {
  const elsewhere = await origin(t, (_request, response) => { response.end() })
  for (const status of [301, 302, 307, 308]) {
    const { source } = await store(t, { HEAD: bare(status, { 'location': `http://127.0.0.1:${elsewhere.port}/`, 'content-length': 0, 'x-amz-bucket-region': 'eu-west-9' }) })
    await t.rejects(async () => await source.stat(key('a.bin')), { code: 'upstream-redirects', context: { region: 'eu-west-9' } })
  }
  t.equal(elsewhere.requests.length, 0)
})

t.test('refusals and overload', async t => {
  t.test('what is told to come again is asked again, and after three times that is the answer', async t => {
    let failures = 2
    const { source, store: asked } = await store(t, { HEAD: async request => await (failures-- > 0 ? bare(503, { 'content-length': 0 }) : bare(200, object(5)))(request) })
    t.ok(await source.stat(key('a.bin')))
    t.equal(asked.requests.length, 3)
    failures = Infinity
    await t.rejects(async () => await source.stat(key('a.bin')), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '1' } })
    t.equal(asked.requests.length, 6)
  })

  t.test('SlowDown under another status is heard too', async t => {
    const { source, store: asked } = await store(t, { GET: bodied(400, errorXml('SlowDown')) })
    await t.rejects(source.list(key(''), 10), { code: 'unavailable', context: { reason: 'SlowDown' } })
    t.equal(asked.requests.length, 3)
  })

  t.test('retries are few where everything fails', async t => {
    const { source, store: asked } = await store(t, { HEAD: bare(503, { 'content-length': 0 }) })
    for (let n = 0; n < 30; n++) await t.rejects(async () => await source.stat(key(`${n}.bin`)))
    t.ok(asked.requests.length <= 50, `${asked.requests.length} requests`)
  })

  t.test('who leaves while it waits is let go', async t => {
    const { source } = await store(t, { HEAD: bare(503, { 'content-length': 0 }) })
    const leaving = new AbortController()
    const asking = source.client.head('a.bin', { signal: leaving.signal })
    leaving.abort(new Error('I leave'))
    await t.rejects(asking, /I leave/)
  })

  t.test('a store that is silent is asked once, and then said to be away', async t => {
    const { source, store: asked } = await store(t, { HEAD: () => {} }, { timeoutMs: 200 })
    await t.rejects(async () => await source.stat(key('a.bin')), { code: 'unavailable', context: { fault: 'upstream-timeout' } })
    t.equal(asked.requests.length, 1)
  })

  t.test('one that resets is asked again', async t => {
    const { source, store: asked } = await store(t, { HEAD: async ({ socket, index, ...request }) => index < 2 ? reset(socket) : await bare(200, object(5))({ socket, index, ...request }) })
    t.ok(await source.stat(key('a.bin')))
    t.equal(asked.requests.length, 3)
  })

  t.test('what no code of S3 is, is not told as one', async t => {
    for (const body of [errorXml('<b/>'), errorXml('x'.repeat(100)), 'not xml', `<Error>${'<a>'.repeat(100)}`, `<Error><Code>${'x'.repeat(200_000)}</Code></Error>`]) {
      const { source } = await store(t, { GET: bodied(418, body) })
      const error = await failureOf(async () => await source.list(key(''), 10))
      t.match(error, { code: 'upstream-status', detail: 'The object store s3 answered with an error', context: { status: 418, reason: undefined } })
    }
    const { source } = await store(t, { GET: bodied(418, '<html>', { 'content-type': 'text/html' }) })
    await t.rejects(source.list(key(''), 10), { code: 'upstream-status' })
  })

  t.test('nothing that is secret is in what fails', async t => {
    const { source } = await store(t, { HEAD: ({ socket }) => reset(socket), GET: bodied(500, errorXml('InternalError')), PUT: bare(500, { 'content-length': 0 }) })
    for (const work of [() => source.stat(key('a.bin')), () => source.list(key(''), 1), () => source.client.put('a', Buffer.from('a')), () => source.writing.move(key('a'), key('b'))]) {
      t.notMatch(told(await failureOf(work)), /not-told-to-anybody|Signature=|AWS4-HMAC/)
    }
  })
})

t.test('a store over TLS', async t => {
  const store = await tlsOrigin(t, (_request, response) => { response.writeHead(200, object(5)).end() })
  const endpoint = `https://127.0.0.1:${store.port}`
  const doubted = await sourceOver(t, store, { endpoint })
  await t.rejects(async () => await doubted.stat(key('a.bin')), { code: 'unavailable', context: { fault: 'upstream-tls' } }, 'that nobody vouches for is not asked')
  t.equal(store.requests.length, 0)
  const trusted = await sourceOver(t, store, { endpoint, ca: certificate('ca').certFile })
  t.equal((await fileAt(t, trusted, 'a.bin')).representation.size, 5, 'one whose authority is named is')
  await t.rejects(sourceOver(t, store, { endpoint, ca: '/not/there.pem' }), { code: 'ENOENT' })
})

t.test('listings', async t => {
  const listing = (inner: string): string => `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>d/</Prefix>${inner}</ListBucketResult>`
  const entry = (name: string): string => `<Contents><Key>${name}</Key><Size>1</Size><LastModified>2026-11-20T12:00:00.000Z</LastModified></Contents>`

  for (const [what, body] of [
    ['no XML', 'hello'],
    ['nothing', ''],
    ['half of one', listing(entry('d/a')).slice(0, -20)],
    ['something else', '<ListAllMyBucketsResult/>'],
    ['an error under status 200', errorXml('InternalError')],
    ['a document type', '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><ListBucketResult><Name>&b;</Name></ListBucketResult>'],
    ['an entity that nobody knows', listing('<Name>&bomb;</Name>')],
    ['elements without end', '<ListBucketResult>'.repeat(10_000)],
    ['more to come, and not where', listing('<IsTruncated>true</IsTruncated>')]
  ] as const) {
    t.test(`${what} is no listing`, async t => {
      const { source } = await store(t, { GET: bodied(200, body) })
      await t.rejects(source.list(key('d'), 10), { code: 'upstream-malformed' })
    })
  }

  t.test('bytes that are no UTF-8 are no listing', async t => {
    const { source } = await store(t, { GET: async ({ socket }) => await flush(socket, Buffer.concat([Buffer.from(head(200, { 'content-length': 30 })), Buffer.alloc(30, 0xFF)])) })
    await t.rejects(source.list(key('d'), 10), { code: 'upstream-malformed' })
  })

  t.test('one without end is left', async t => {
    const { source, store: asked } = await store(t, {
      GET: async ({ socket }) => {
        await write(socket, head(200, { connection: 'close' }) + listing('').replace('</ListBucketResult>', ''))
        const entries = entry(`d/${'x'.repeat(1000)}`).repeat(50)
        while (await write(socket, entries));
      }
    })
    await t.rejects(source.list(key('d'), 10), { code: 'upstream-malformed' })
    await eventually(() => asked.requests.every(({ closed }) => closed))
  })

  t.test('one whose pages lead nowhere comes to an end', async t => {
    const { source, store: asked } = await store(t, { GET: bodied(200, listing(`${entry('d/.hidden')}<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>`)) })
    t.same(await source.list(key('d'), 10), { entries: [], truncated: true })
    t.ok(asked.requests.length <= 100)
  })

  t.test('names from elsewhere, of no encoding, and sizes and dates that are none are not believed', async t => {
    const { source } = await store(t, { GET: bodied(200, listing(`<EncodingType>url</EncodingType>${entry('e/outside')}${entry('d/%zz')}${entry('d/a+b%2B')}<Contents><Key>d/c</Key><Size>-1</Size><LastModified>now</LastModified></Contents><CommonPrefixes><Prefix>e/dir/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>d/..%2F/</Prefix></CommonPrefixes>`)) })
    t.same((await source.list(key('d'), 10))?.entries, [{ name: 'a b+', kind: 'file', size: 1, lastModified: Date.parse('2026-11-20T12:00:00Z') }, { name: 'c', kind: 'file', size: 0 }])
  })

  t.test('names in CDATA and in the XML of stores that encode none are read', async t => {
    const { source } = await store(t, { GET: bodied(200, listing(`${entry('<![CDATA[d/a & b]]>')}${entry('d/%20&amp;')}`)) })
    t.same((await source.list(key('d'), 10))?.entries.map(({ name }) => name), ['%20&', 'a & b'])
  })
})

t.test('writing', async t => {
  const begun = '<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>'
  const nothingThere = bodied(200, '<ListBucketResult></ListBucketResult>')
  const large = Buffer.alloc(5_242_881)
  const inParts = async (source: S3Source): Promise<unknown> => {
    const draft = await source.writing.begin(key('a.bin'))
    await draft.write(large)
    return await draft.commit()
  }
  /** A store to which parts can be sent, and that says this at the end. */
  const completing = async (t: Test, body: string): ReturnType<typeof store> => await store(t, {
    GET: nothingThere,
    PUT: async request => { await eventually(() => request.bodyBytes === Number(request.headers['content-length'])); await bare(200, { 'content-length': 0, 'etag': '"part"' })(request) },
    POST: async request => await bodied(200, request.target.includes('uploads=') ? begun : body)(request),
    DELETE: bare(204)
  })

  t.test('an error that comes under status 200 is an error', async t => {
    const { source, store: asked } = await completing(t, `   \n${errorXml('InternalError')}`)
    await t.rejects(inParts(source), { code: 'unavailable', context: { reason: 'InternalError' } })
    t.ok(asked.requests.some(({ method, target }) => method === 'DELETE' && target.includes('uploadId=one')), 'and nothing stays')
  })

  t.test('white space that keeps a connection alive is no error', async t => {
    const { source } = await completing(t, '\n \n<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>')
    t.match(await inParts(source), { found: { representation: { size: large.length, entityTag: undefined } } })
  })

  t.test('an answer that says something else is none', async t => {
    for (const body of ['', '<Something/>', begun]) {
      const { source } = await completing(t, body)
      await t.rejects(inParts(source), { code: 'upstream-malformed' })
    }
  })

  t.test('an upload without an id, a part and an object without a tag are none', async t => {
    const { source } = await store(t, { GET: nothingThere, POST: bodied(200, '<InitiateMultipartUploadResult/>'), PUT: bare(200, { 'content-length': 0 }) })
    await t.rejects(source.client.uploads.begin('a'), { code: 'upstream-malformed' })
    await t.rejects(source.client.uploads.send({ object: 'a', id: 'b' }, { number: 1, payload: { chunks: [], bytes: 0, sha256: '' } }), { code: 'upstream-malformed' })
    await t.rejects(writeFile(source, 'a', 'a'), { code: 'upstream-malformed' })
  })

  t.test('a store that goes away between parts is told to who writes', async t => {
    const { source } = await store(t, { POST: bodied(200, begun), PUT: bare(500, { 'content-length': 0 }), DELETE: bare(500, { 'content-length': 0 }) })
    const draft = await source.writing.begin(key('a.bin'))
    await t.rejects(async () => {
      for (let n = 0; n < 4; n++) await draft.write(large)
    }, { code: 'unavailable' })
    await draft.discard()
  })

  t.test('a list of uploads that goes in a circle, or is none, ends the sweep', async t => {
    const upload = '<Upload><Key>a</Key><UploadId>x</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload><Upload><Key>b</Key><UploadId>y</UploadId><Initiated>never</Initiated></Upload>'
    for (const [body, swept] of [
      [`<ListMultipartUploadsResult>${upload}<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>x</NextUploadIdMarker></ListMultipartUploadsResult>`, 2],
      [`<ListMultipartUploadsResult>${upload}</ListMultipartUploadsResult>`, 1],
      ['<Nothing/>', 0]
    ] as const) {
      const { source, store: asked } = await store(t, { GET: bodied(200, body), DELETE: bare(204) })
      t.equal(await source.writing.sweep(1000), swept)
      t.notOk(asked.requests.some(({ method, target }) => method === 'DELETE' && target.includes('uploadId=y')), 'of what age nobody knows is not swept')
    }
  })

  t.test('what may not be removed is refused, on condition or not', async t => {
    const { source } = await store(t, { HEAD: bare(200, object(5)), DELETE: bodied(403, errorXml('AccessDenied')) })
    for (const condition of [undefined, () => {}]) await t.rejects(source.writing.remove(key('a.bin'), condition), { code: 'forbidden' })
  })

  t.test('an upload that is over is aborted already, and another error is one', async t => {
    const { source } = await store(t, { DELETE: async request => await bodied(request.index === 0 ? 404 : 403, errorXml(request.index === 0 ? 'NoSuchUpload' : 'AccessDenied'))(request) })
    await source.client.uploads.abort({ object: 'a', id: 'b' })
    await t.rejects(source.client.uploads.abort({ object: 'a', id: 'b' }), { code: 'forbidden' })
  })
})
