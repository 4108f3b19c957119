import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'
import { serving } from './process.ts'

t.setTimeout(120_000)

t.test('two servers on one Redis that are asked at once for one cold variant make it once', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const cwd = await scratch(t, {
    'media/cat.jpg': (await picturesToServe())['cat.jpg'] ?? '',
    'media.config.json': JSON.stringify({ sources: { files: { driver: 'file', root: 'media' } }, mounts: [{ source: 'files' }], images: { workers: 1, cache: { redis: redis.url } } })
  })
  const servers = await Promise.all([0, 1].map(async () => await serving(t, ['--config', join(cwd, 'media.config.json')], { cwd })))
  // The first variant waits for the workers to start, the others for no more than the decoding.
  for (const path of ['/cat.jpg?w=640&f=avif', '/cat.jpg?w=600&f=avif', '/cat.jpg?w=540&f=webp', '/cat.jpg?w=500']) {
    const answers = await Promise.all([...servers, ...servers].map(async server => await ask(server, path)))
    t.same(answers.map(({ status }) => status), [200, 200, 200, 200], path)
    // Those who ask one server share its answer, and what is said of it.
    const [one, two, alsoOne, alsoTwo] = answers.map(({ headers }) => String(headers['x-cache']))
    t.same(new Set([one, two]), new Set(['made', 'hit-redis']), path)
    t.ok([one, 'hit-memory'].includes(alsoOne) && [two, 'hit-memory'].includes(alsoTwo), `${alsoOne}, ${alsoTwo}`)
    t.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 1)
    for (const { body } of answers) t.ok(answers[0]?.body.equals(body))
  }
})
