import t from 'tap'
import { HotFiles } from '../../../lib/cache/hot-files.ts'
import { MediaError } from '../../../lib/errors.ts'
import type { Condition, Draft } from '../../../lib/sources/writing.ts'
import type { S3Source } from '../../../lib/sources/s3.ts'
import { bytesOf, fileAt } from '../../contracts/source.ts'
import { ifMatches, textAt, unlessThere, writableContract, write } from '../../contracts/writable.ts'
import type { Test } from '../../helpers/app.ts'
import { content } from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { noRadosgw, radosgw } from '../../helpers/radosgw.ts'
import { configOf, errorXml, key, meddledStore, newSource, sourceOf, sourceWith, told, type Meddler } from './s3/stores.ts'

const PART = 5_242_880

t.test('a bucket that is written to', { skip: noRadosgw }, async t => {
  writableContract(t, async (t, files) => await sourceWith(t, files, { prefix: 'a/' }))
})

async function pendingOf ({ client }: S3Source): Promise<string[]> {
  const objects = []
  for await (const { object } of client.uploads.pending('')) objects.push(object)
  return objects
}

async function begun (source: S3Source, name: string, bytes: Buffer): Promise<Draft> {
  const draft = await source.writing.begin(key(name))
  await draft.write(bytes)
  return draft
}

t.test('large files', { skip: noRadosgw }, async t => {
  t.test('what is larger than a part goes in parts, and is nowhere before it is whole', async t => {
    const { source } = await newSource(t)
    const large = content(2 * PART + 10)
    const draft = await source.writing.begin(key('d/large.txt'), { type: 'text/other' })
    for (const piece of large.pieces()) await draft.write(Buffer.from(piece))
    t.same(await pendingOf(source), ['d/large.txt'])
    t.equal(await source.stat(key('d')), undefined)
    const { found } = await draft.commit()
    t.match(found.representation, { type: 'text/plain; charset=utf-8', size: large.size, entityTag: /-3"$/ })
    t.match(await source.client.head('d/large.txt'), { type: 'text/other', size: large.size })
    t.same(await pendingOf(source), [])
    t.equal(await textAt(source, 'd/large.txt'), String(large.bytes()))
  })

  t.test('what is exactly one part, or two, has no empty one at its end', async t => {
    const { source } = await newSource(t)
    for (const [name, bytes, tag] of [['one', PART, /^"[^-]+"$/], ['two', 2 * PART, /-2"$/]] as const) {
      const { found } = await (await begun(source, name, Buffer.alloc(bytes))).commit()
      t.match(found.representation, { size: bytes, entityTag: tag })
    }
  })

  t.test('what is discarded, or refused, leaves nothing in the store', async t => {
    const { source } = await newSource(t)
    const [discarded, refused] = [await begun(source, 'a.bin', Buffer.alloc(PART + 1)), await begun(source, 'b.bin', Buffer.alloc(PART + 1))]
    t.same((await pendingOf(source)).toSorted(), ['a.bin', 'b.bin'])
    await discarded.discard()
    await t.rejects(refused.commit(() => { throw new MediaError('precondition-failed') }), { code: 'precondition-failed' })
    t.same(await pendingOf(source), [])
    t.same(await source.list(key(''), 10), { entries: [], truncated: false })
    await t.rejects(discarded.write(Buffer.from('more')), /neither committed nor discarded/)
  })

  t.test('what others left unfinished is swept, once it is old enough; what is under way here is not', async t => {
    const { source, config } = await newSource(t, { prefix: 'in/' })
    const outside = await sourceOf(t, { ...config, prefix: '' })
    const orphan = await outside.client.uploads.begin('in/orphan.bin')
    await outside.client.uploads.begin('elsewhere/orphan.bin')
    const draft = await begun(source, 'own.bin', Buffer.alloc(PART + 1))
    t.equal(await source.writing.sweep(3_600_000), 0)
    t.equal(await source.writing.sweep(0), 1)
    t.same((await pendingOf(source)).toSorted(), ['elsewhere/orphan.bin', 'in/own.bin'])
    await outside.client.uploads.abort(orphan)
    await draft.commit()
    t.match(await source.stat(key('own.bin')), { kind: 'file' })
  })
})

t.test('two processes', { skip: noRadosgw }, async t => {
  const both = async (t: Test): Promise<[S3Source, S3Source]> => {
    const { source, config } = await newSource(t)
    return [source, await sourceOf(t, config)]
  }
  const writers = async ([one, other]: [S3Source, S3Source], what: string, condition: Condition): Promise<Array<PromiseSettledResult<unknown>>> =>
    await Promise.allSettled(Array.from({ length: 10 }, async (_, n) => await write(n % 2 === 0 ? one : other, 'd/a.txt', `${what} ${n}`, condition)))

  t.test('of many who replace what they saw exactly one does, and of many who create', async t => {
    for (let round = 0; round < 4; round++) {
      const sources = await both(t)
      for (const seen of ['nothing', 'something'] as const) {
        const settled = await writers(sources, seen, seen === 'nothing' ? unlessThere : ifMatches(await fileAt(t, sources[0], 'd/a.txt')))
        const won = settled.findIndex(({ status }) => status === 'fulfilled')
        t.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1, seen)
        for (const one of settled) if (one.status === 'rejected') t.match(one.reason, { code: 'precondition-failed' })
        t.equal(await textAt(sources[1], 'd/a.txt'), `${seen} ${won}`)
      }
    }
  })
})

/** A source whose store is behind somebody who meddles. */
async function meddled (t: Test, meddle: Meddler): Promise<{ source: S3Source, straight: S3Source, requests: ReadonlyArray<{ readonly method: string, readonly url: string }> }> {
  const bucket = await radosgw(t)
  const store = await meddledStore(t, bucket, meddle)
  return { source: await sourceOf(t, configOf({ ...bucket, endpoint: `http://127.0.0.1:${store.port}` })), straight: await sourceOf(t, configOf(bucket)), requests: store.requests }
}

t.test('a look that began before another process wrote is not one for who asks once that is known', { skip: noRadosgw }, async t => {
  const held: Array<() => void> = []
  t.teardown(() => { for (const go of held) go() })
  const { source, straight } = await meddled(t, async ({ method }, pass) => {
    const answer = await pass()
    if (method === 'HEAD' && held.length === 0) await new Promise<void>(resolve => held.push(resolve))
    return answer
  })
  await straight.client.put('a.txt', Buffer.from('old'))
  const hotFiles = new HotFiles()
  const kept = hotFiles.over(source)
  const before = kept.stat(key('a.txt'))
  await eventually(() => held.length === 1)
  await write(straight, 'a.txt', 'newer')
  hotFiles.doubt()
  t.match(await kept.stat(key('a.txt')), { representation: { size: 5 } })
  held[0]?.()
  t.match(await before, { representation: { size: 3 } })
})

t.test('a look that began before a file was written is not one for who asks afterwards', { skip: noRadosgw }, async t => {
  const held: Array<() => void> = []
  const { source, straight } = await meddled(t, async ({ method }, pass) => {
    const answer = await pass()
    if (method === 'HEAD' && held.length === 0) await new Promise<void>(resolve => held.push(resolve))
    return answer
  })
  await straight.client.put('a.txt', Buffer.from('old'))
  const before = source.stat(key('a.txt'))
  await eventually(() => held.length === 1)
  await write(source, 'a.txt', 'newer')
  t.match(await source.stat(key('a.txt')), { representation: { size: 5 } })
  held[0]?.()
  t.match(await before, { representation: { size: 3 } })
})

t.test('a store whose answers do not come', { skip: noRadosgw }, async t => {
  t.test('what was written although nobody heard of it is known to be written', async t => {
    for (const condition of [undefined, unlessThere]) {
      let lost = 0
      const { source, straight } = await meddled(t, async ({ method }, pass, response) => {
        const answer = await pass()
        if (method !== 'PUT' || ++lost > 1) return answer
        response.destroy()
        return 'answered'
      })
      const { found, replaced } = await write(source, 'a.txt', 'once', condition)
      t.equal(replaced, undefined)
      t.equal(found.representation.entityTag, (await fileAt(t, straight, 'a.txt')).representation.entityTag)
    }
  })

  t.test('so is a large one, where the store says that its upload is over', async t => {
    let lost = 0
    const { source } = await meddled(t, async ({ method, url }, pass, response) => {
      const answer = await pass()
      if (method !== 'POST' || !url.includes('?uploadId=')) return answer
      if (++lost > 1) return { status: 404, headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorXml('NoSuchUpload')) }
      response.destroy()
      return 'answered'
    })
    const { found } = await (await begun(source, 'a.bin', Buffer.alloc(PART + 1))).commit(unlessThere)
    t.equal(found.representation.size, PART + 1)
    t.equal(lost, 2)
  })

  t.test('what nobody can tell is an error, and says so', async t => {
    let isAway = false
    const { source, straight } = await meddled(t, async ({ method }, pass, response) => {
      if (method === 'PUT') isAway = true
      if (!isAway) return await pass()
      response.destroy()
      return 'answered'
    })
    await t.rejects(write(source, 'a.txt', 'never'), { code: 'unavailable' })
    t.equal(await straight.stat(key('a.txt')), undefined)
  })

  t.test('what is written and at once another\'s is told as it was', async t => {
    const { source, straight } = await meddled(t, async ({ method }, pass) => {
      const answer = await pass()
      if (method === 'PUT') await straight.client.put('a.txt', Buffer.from('of another'))
      return answer
    })
    const { found } = await write(source, 'a.txt', 'mine')
    t.equal(found.representation.size, 4)
    t.match(found.representation.entityTag, /^"[0-9a-f]{32}"$/)
    await t.rejects(async () => await found.representation.open(), { name: 'RepresentationChanged' })
  })
})

t.test('bytes that change on their way are refused, and nothing is there', { skip: noRadosgw }, async t => {
  const { source, straight, requests } = await meddled(t, async ({ method, body }, pass) => await pass(method === 'PUT' && body !== undefined ? Buffer.from(body.map(byte => byte ^ 1)) : body))
  const error = await write(source, 'a.txt', 'this').then(() => undefined, (error: unknown) => error)
  t.match(error, { code: 'unavailable', context: { reason: 'XAmzContentSHA256Mismatch' } })
  t.notMatch(told(error), /Signature=/)
  t.equal(requests.filter(({ method }) => method === 'PUT').length, 3, 'they may come well another time')
  const large = await begun(source, 'large.bin', Buffer.alloc(PART + 1))
  await t.rejects(large.commit(), { code: 'unavailable' })
  t.same(await straight.list(key(''), 10), { entries: [], truncated: false })
  t.same(await pendingOf(straight), [])
})

t.test('stores that know less', { skip: noRadosgw }, async t => {
  t.test('one that refuses what it does not know is looked at right before', async t => {
    const { source } = await meddled(t, async ({ method, headers }, pass) => {
      if (method === 'PUT' && (headers['if-match'] ?? headers['if-none-match']) !== undefined) return { status: 501, headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorXml('NotImplemented')) }
      return await pass()
    })
    const { found } = await write(source, 'a.txt', 'first', unlessThere)
    await write(source, 'a.txt', 'second', ifMatches(found))
    await t.rejects(write(source, 'a.txt', 'third', ifMatches(found)), { code: 'precondition-failed' })
    t.equal(await textAt(source, 'a.txt'), 'second')
  })

  t.test('one that refuses whatever the condition is a conflict in the end', async t => {
    const refusal = { status: 412, headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorXml('PreconditionFailed')) }
    const { source } = await meddled(t, async ({ method, headers }, pass) => (method === 'PUT' || method === 'DELETE') && headers['x-meddle'] === undefined && headers['if-match'] !== undefined ? refusal : await pass())
    await write(source, 'a.txt', 'first')
    await t.rejects(write(source, 'a.txt', 'second', () => {}), { code: 'conflict' })
    await t.rejects(source.writing.remove(key('a.txt'), () => {}), { code: 'conflict' })
    t.equal(await textAt(source, 'a.txt'), 'first')
  })

  t.test('one that refuses without having been given a condition is a conflict', async t => {
    for (const code of ['OperationAborted', '']) {
      const { source, requests } = await meddled(t, async ({ method }, pass) => method === 'PUT' ? { status: 409, headers: {}, body: Buffer.from(code === '' ? '' : errorXml(code)) } : await pass())
      await t.rejects(write(source, 'a.txt', 'first'), { code: 'conflict' })
      t.equal(requests.filter(({ method }) => method === 'PUT').length, code === '' ? 1 : 3)
    }
  })

  t.test('a DELETE that the store judges itself is asked anew', async t => {
    let isReplaced = false
    const { source, straight } = await meddled(t, async ({ method, headers }, pass) => {
      if (method !== 'DELETE' || headers['if-match'] === undefined || isReplaced) return await pass()
      isReplaced = true
      await straight.client.put('a.txt', Buffer.from('of another'))
      return { status: 412, headers: {}, body: Buffer.alloc(0) }
    })
    await write(source, 'a.txt', 'first')
    const seen = await fileAt(t, source, 'a.txt')
    await t.rejects(source.writing.remove(key('a.txt'), ifMatches(seen)), { code: 'precondition-failed' })
    t.equal(await textAt(straight, 'a.txt'), 'of another')
    t.match(await source.writing.remove(key('a.txt')), { representation: { size: 10 } }, 'without a condition it goes')
  })

  t.test('quotas of the store are told as room that is not there', async t => {
    const { source } = await meddled(t, async ({ method }, pass) => method === 'PUT' ? { status: 403, headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorXml('QuotaExceeded')) } : await pass())
    await t.rejects(write(source, 'a.txt', 'first'), { code: 'insufficient-storage' })
  })
})

t.test('moves', { skip: noRadosgw }, async t => {
  t.test('what is stored with a file stays with it', async t => {
    const { source } = await newSource(t)
    await source.client.put('a.txt', Buffer.from('a'), { type: 'text/x', fields: { 'cache-control': 'max-age=5', 'content-disposition': 'inline' }, metadata: { author: 'me' } })
    await source.writing.move(key('a.txt'), key('d/b.html'))
    t.match(await source.client.head('d/b.html'), { type: 'text/html; charset=utf-8', fields: { 'cache-control': 'max-age=5', 'content-disposition': 'inline' }, metadata: { author: 'me' } })
  })

  t.test('what is replaced meanwhile is not removed', async t => {
    let newer = 'newer'
    const { source, straight } = await meddled(t, async ({ headers }, pass) => {
      const answer = await pass()
      if (headers['x-amz-copy-source'] !== undefined) await straight.client.put('a.txt', Buffer.from(newer))
      return answer
    })
    await straight.client.put('a.txt', Buffer.from('old'))
    await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'conflict', detail: 'The file was replaced while it was moved' })
    t.equal(await textAt(straight, 'a.txt'), 'newer')
    t.equal(await straight.stat(key('b.txt')), undefined, 'and nothing was moved')
    newer = 'newer still'
    await straight.client.put('b.txt', Buffer.from('to be replaced'))
    await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'conflict', detail: /under both names/ }, 'what was replaced cannot be had back')
  })

  /** The store refuses to remove a.txt, or to remove anything, or nobody hears what it says to that. */
  const unremovable = async (t: Test, refuse: Meddler): ReturnType<typeof meddled> => {
    const all = await meddled(t, async (request, pass, response) => request.method === 'DELETE' ? await refuse(request, pass, response) : await pass())
    await all.straight.client.put('a.txt', Buffer.from('old'))
    return all
  }
  const refusal = (status: number, code: string) => ({ status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorXml(code)) })

  t.test('what may not be removed is not moved', async t => {
    for (const [status, reason, code] of [[403, 'AccessDenied', 'forbidden'], [500, 'InternalError', 'unavailable'], [412, 'PreconditionFailed', 'conflict']] as const) {
      const { source, straight } = await unremovable(t, async ({ url }, pass) => url.endsWith('/a.txt') ? refusal(status, reason) : await pass())
      const failure = await source.writing.move(key('a.txt'), key('d/b.txt')).then(() => undefined, (error: MediaError) => error)
      t.match(failure, { code })
      t.notMatch(failure?.detail, /both names/)
      t.equal(await textAt(straight, 'a.txt'), 'old')
      t.equal(await straight.stat(key('d')), undefined)
      await straight.client.put('b.txt', Buffer.from('to be replaced'))
      await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code, detail: /under both names/ })
      t.same([await textAt(straight, 'a.txt'), await textAt(straight, 'b.txt')], ['old', 'old'])
    }
  })

  t.test('where nothing can be removed it is under both names, and said so', async t => {
    const { source, straight } = await unremovable(t, async () => refusal(403, 'AccessDenied'))
    await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'forbidden', detail: /under both names/, context: { status: 403 } })
    t.same([await textAt(straight, 'a.txt'), await textAt(straight, 'b.txt')], ['old', 'old'])
  })

  t.test('what was removed although nobody heard of it is moved', async t => {
    const { source, straight } = await unremovable(t, async (_request, pass, response) => {
      await pass()
      response.destroy()
      return 'answered'
    })
    await source.writing.move(key('a.txt'), key('b.txt'))
    t.equal(await straight.stat(key('a.txt')), undefined)
    t.equal(await textAt(straight, 'b.txt'), 'old')
  })

  t.test('what may be removed yet, for all that is known, keeps its copy', async t => {
    const { source, straight } = await unremovable(t, async (_request, _pass, response) => {
      response.destroy()
      return 'answered'
    })
    await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'unavailable', detail: /under both names/ })
    t.same([await textAt(straight, 'a.txt'), await textAt(straight, 'b.txt')], ['old', 'old'])
  })

  t.test('a copy that is another\'s by now, or all there is, stays', async t => {
    const other = await unremovable(t, async ({ url }, pass) => {
      if (!url.endsWith('/a.txt')) return await pass()
      await other.straight.client.put('b.txt', Buffer.from('of another'))
      return refusal(403, 'AccessDenied')
    })
    await t.rejects(other.source.writing.move(key('a.txt'), key('b.txt')), { code: 'forbidden', detail: 'The object store s3 refuses this' })
    t.equal(await textAt(other.straight, 'b.txt'), 'of another')
    let looks = 0
    const last = await meddled(t, async ({ method, url }, pass) => {
      if (method === 'DELETE') return refusal(403, 'AccessDenied')
      // After the copy, and again after the refusal.
      if (method === 'HEAD' && url.endsWith('/a.txt') && ++looks === 4) await last.straight.client.delete('a.txt')
      return await pass()
    })
    await last.straight.client.put('a.txt', Buffer.from('old'))
    await t.rejects(last.source.writing.move(key('a.txt'), key('b.txt')), { code: 'forbidden' })
    t.equal(looks, 4)
    t.equal(await textAt(last.straight, 'b.txt'), 'old')
  })

  t.test('what is gone meanwhile is moved', async t => {
    const { source, straight } = await meddled(t, async ({ headers }, pass) => {
      const answer = await pass()
      if (headers['x-amz-copy-source'] !== undefined) await straight.client.delete('a.txt')
      return answer
    })
    await straight.client.put('a.txt', Buffer.from('old'))
    t.match(await source.writing.move(key('a.txt'), key('b.txt')), { found: { representation: { size: 3 } } })
  })

  t.test('what a store does not copy at once is not moved', async t => {
    const { source, straight, requests } = await meddled(t, async ({ method }, pass) => {
      const answer = await pass()
      return method === 'HEAD' && answer.status === 200 ? { ...answer, headers: { ...answer.headers, 'content-length': '6000000000' } } : answer
    })
    await straight.client.put('a.txt', Buffer.from('old'))
    await t.rejects(source.writing.move(key('a.txt'), key('b.txt')), { code: 'not-implemented', detail: /5 GiB/ })
    t.notOk(requests.some(({ method }) => method === 'PUT'))
  })
})

t.test('drafts that rest', { skip: noRadosgw }, async t => {
  t.test('no more than some are kept here: the others are in the store, as parts of what is nowhere yet', async t => {
    const { source } = await newSource(t)
    const drafts: Draft[] = []
    for (let n = 0; n < 9; n++) {
      const draft = await begun(source, `${n}.bin`, Buffer.alloc(PART, n))
      await draft.rest()
      await t.rejects(draft.write(Buffer.from('more')), /does not rest/)
      drafts.push(draft)
    }
    t.same((await pendingOf(source)).toSorted(), ['6.bin', '7.bin', '8.bin'])
    t.same(await source.list(key(''), 10), { entries: [], truncated: false })
    const small = await begun(source, 'small.bin', Buffer.from('small'))
    await small.rest()
    t.equal((await pendingOf(source)).length, 3, 'there is room for a small one')
    await drafts[0]?.discard()
    await drafts[1]?.commit()
    const later = await begun(source, 'later.bin', Buffer.alloc(PART))
    await later.rest()
    t.equal((await pendingOf(source)).length, 3, 'and for one in the place of one that went')
    for (const draft of [...drafts.slice(2), small, later]) await draft.commit(unlessThere)
    t.same(await pendingOf(source), [])
    for (let n = 1; n < 9; n++) t.ok((await bytesOf(await (await fileAt(t, source, `${n}.bin`)).representation.open())).equals(Buffer.alloc(PART, n)))
    t.equal(await textAt(source, 'small.bin'), 'small')
  })

  t.test('what went in parts already has its last sent, once', async t => {
    const { source } = await newSource(t)
    const large = content(2 * PART + 10)
    const [kept, dropped] = [await begun(source, 'kept.bin', large.bytes()), await begun(source, 'dropped.bin', large.bytes())]
    for (const draft of [kept, dropped]) await draft.rest()
    await dropped.discard()
    t.same(await pendingOf(source), ['kept.bin'])
    t.match((await kept.commit()).found.representation, { size: large.size, entityTag: /-3"$/ })
    t.equal(await textAt(source, 'kept.bin'), String(large.bytes()))
  })

  t.test('a store that is away when the last part goes is told to who waits', async t => {
    const { source, straight } = await meddled(t, async ({ method, url }, pass) => method === 'PUT' && url.includes('partNumber=2') ? { status: 500, headers: {}, body: Buffer.alloc(0) } : await pass())
    const draft = await begun(source, 'a.bin', Buffer.alloc(PART + 1))
    await t.rejects(draft.rest(), { code: 'unavailable' })
    await draft.discard()
    t.same(await pendingOf(straight), [])
  })
})

t.test('no more than two parts of a draft are in memory', { skip: noRadosgw }, async t => {
  const held: Array<() => void> = []
  const { source } = await meddled(t, async ({ method, url }, pass) => {
    if (method === 'PUT' && url.includes('partNumber=1')) await new Promise<void>(resolve => held.push(resolve))
    return await pass()
  })
  const draft = await source.writing.begin(key('a.bin'))
  let written = 0
  const writing = (async () => {
    for (; written < 4 * PART; written += 65_536) await draft.write(Buffer.alloc(65_536))
  })()
  await eventually(() => held.length === 1 && written >= 2 * PART)
  for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve))
  t.equal(written, 2 * PART, 'nothing more is taken while the first is on its way')
  held[0]?.()
  await writing
  t.equal((await draft.commit()).found.representation.size, 4 * PART)
})

t.test('an upload that is given up ends the part that is on its way', { skip: noRadosgw }, async t => {
  const held: Array<() => void> = []
  t.teardown(() => { for (const go of held) go() })
  const { source, straight } = await meddled(t, async ({ method, url }, pass) => {
    if (method === 'PUT' && url.includes('partNumber=1')) await new Promise<void>(resolve => held.push(resolve))
    return await pass()
  })
  const draft = await begun(source, 'a.bin', Buffer.alloc(PART + 1))
  await eventually(() => held.length === 1)
  await draft.discard()
  t.same(await pendingOf(straight), [])
})
