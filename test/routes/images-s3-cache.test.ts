import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, scratch, serveMedia, type Answer, type Served, type Test } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'
import { eventually } from '../helpers/process.ts'
import { bucketConfig, noRadosgw, ownRadosgw, radosgw, signedFetch, type Bucket } from '../helpers/radosgw.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'

const skip = noRadosgw || (noRedis ?? false)

/** An instance that keeps variants in a bucket, and nothing in memory. */
async function serving (t: Test, { bucket, root, redis }: { bucket: Bucket, root: string, redis?: string }): Promise<Served> {
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root }, cache: bucketConfig(bucket) },
    mounts: [{ source: 'files' }],
    images: { workers: 1, cache: { memoryBytes: 0, diskBytes: 0, s3: { source: 'cache' }, ...(redis === undefined ? {} : { redis }) } }
  } as unknown as MediaOptions)
}

async function pictures (t: Test): Promise<string> {
  return await scratch(t, { 'cat.jpg': (await picturesToServe())['cat.jpg'] ?? '' })
}

function isGood ({ status, headers }: Answer): boolean {
  return status === 200 && headers['content-type'] === 'image/webp'
}

t.test('what one instance made another has from the bucket', { skip }, async t => {
  const [bucket, { url: redis }, root] = [await radosgw(t), await testRedis(t), await pictures(t)]
  const [one, another] = [await serving(t, { bucket, root, redis }), await serving(t, { bucket, root, redis })]
  const made = await ask(one, '/cat.jpg?w=320&f=webp')
  t.match([made.status, made.headers['x-cache']], [200, 'made'])
  let again: Answer | undefined
  t.ok(await eventually(async () => (again = await ask(another, '/cat.jpg?w=320&f=webp')).headers['x-cache'] === 'hit-s3'))
  t.ok(again?.body.equals(made.body))
  t.equal(again?.headers.etag, made.headers.etag)
  t.match(await (await signedFetch(bucket)('?list-type=2&prefix=.variants/v/')).text(), /<KeyCount>1<\/KeyCount>/)
})

t.test('while the bucket is away under load variants are made, and afterwards it is used again', { skip }, async t => {
  const own = await ownRadosgw(t)
  const served = await serving(t, { bucket: own, root: await pictures(t) })
  const outcomes: string[] = []
  const wants = async (width: number): Promise<string> => {
    const answer = await ask(served, `/cat.jpg?w=${width}&f=webp`)
    if (!isGood(answer)) throw new Error(`Expected a picture but received ${answer.status}: ${answer.text.slice(0, 200)}`)
    const outcome = String(answer.headers['x-cache'])
    outcomes.push(outcome)
    return outcome
  }
  t.ok(await eventually(async () => await wants(320) === 'hit-s3'))
  const end = new AbortController()
  const load = [64, 96, 320].map(async width => {
    while (!end.signal.aborted) await wants(width)
  })
  await own.kill()
  t.ok(await eventually(() => outcomes.at(-1) === 'made'))
  await own.restart()
  const before = outcomes.length
  t.ok(await eventually(() => outcomes.slice(before).includes('hit-s3')))
  end.abort()
  await Promise.all(load)
})
