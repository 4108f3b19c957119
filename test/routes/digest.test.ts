import { createHash } from 'node:crypto'
import t from 'tap'
import { ask, oneMount, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'

const files = { ...await picturesToServe(), 'film.bin': Buffer.alloc(1_000_000, 'film') }

async function serving (t: Test, mount: Record<string, unknown> = { digest: true }): Promise<Served> {
  return await serveMedia(t, oneMount(await scratch(t, files), mount, {}, { images: { workers: 1, cache: { directory: await scratch(t) } } }))
}

const sha256 = (bytes: Buffer | string): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
const want = { 'want-repr-digest': 'sha-256=5, md5=9' }

t.test('a digest of the whole is told to who asks, of files and of variants', async t => {
  const served = await serving(t)
  for (const path of ['/cat.jpg', '/film.bin', '/cat.jpg?w=32']) {
    const { body } = await ask(served, path)
    for (const method of ['GET', 'HEAD']) t.equal((await ask(served, path, { method, headers: want })).headers['repr-digest'], sha256(body), `${method} ${path}`)
    t.match(await ask(served, path, { headers: { ...want, range: 'bytes=0-9' } }), { status: 206, headers: { 'repr-digest': sha256(body) } }, 'of the whole, not of the part')
  }
})

t.test('nobody else is told one', async t => {
  const served = await serving(t)
  for (const headers of [{}, { 'want-repr-digest': 'sha-256=0' }, { 'want-repr-digest': 'md5=1' }, { 'want-repr-digest': 'sha-256=;' }] as Array<Record<string, string>>) {
    const answer = await ask(served, '/cat.jpg', { headers })
    t.equal(answer.status, 200)
    t.notOk('repr-digest' in answer.headers, JSON.stringify(headers))
  }
  t.notOk('repr-digest' in (await ask(await serving(t, {}), '/cat.jpg', { headers: want })).headers, 'where the mount does not say so')
})
