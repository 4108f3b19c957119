// One cache for all mounts, clients and formats: Next CVE-2025-57752 (an answer for one client
// kept for all), cache keys without a delimiter, `Vary` missing on stored answers
// (thumbor#731). What was kept for one question is never the answer to another.
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import sharp from 'sharp'
import t from 'tap'
import { DirectoryLedger } from '../../lib/cache/purge-directory.ts'
import { Purges } from '../../lib/cache/purges.ts'
import { ask, scratch, serveMedia, type Answer, type Served, type Test } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { servedPictures } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

async function picture (background: string, format: 'png' | 'jpeg' = 'png'): Promise<Buffer> {
  return await sharp({ create: { width: 40, height: 40, channels: 3, background } }).toFormat(format).toBuffer()
}

/** The colour that a picture has: red, green or blue; none where it was half written then. */
async function colourOf ({ status, body }: Answer): Promise<string> {
  if (status !== 200) return ''
  const { channels } = await sharp(body).removeAlpha().stats()
  const means = channels.map(({ mean }) => mean)
  return ['red', 'green', 'blue'][means.indexOf(Math.max(...means))] ?? ''
}

async function twoMounts (t: Test, prefixes: [string, string]): Promise<Served & { directory: string }> {
  const directory = await scratch(t, { 'one/cat.png': await picture('#f00'), 'two/cat.png': await picture('#00f') })
  const served = await serveMedia(t, {
    images: { workers: 1, cache: { directory: join(directory, 'variants') } },
    sources: { one: { driver: 'file', root: join(directory, 'one') }, two: { driver: 'file', root: join(directory, 'two') } },
    mounts: [{ prefix: prefixes[0], source: 'one', images: { unknownParameters: 'ignore' } }, { prefix: prefixes[1], source: 'two', images: { inputs: ['png'], presets: { card: 'w=20' } } }]
  })
  return { ...served, directory }
}

t.test('the same name in two mounts is two pictures, in every tier, whoever is asked first', async t => {
  for (const prefixes of [['/a', '/b'], ['/', '/b'], ['/x', '/x/y']] as Array<[string, string]>) {
    const served = await twoMounts(t, prefixes)
    const [first, second] = prefixes.map(prefix => prefix === '/' ? '' : prefix) as [string, string]
    const tags = new Set<string | undefined>()
    for (let round = 0; round < 2; round++) {
      for (const path of ['/cat.png?w=20', '/_ipx/w_20/cat.png', '/cat.png?w=20&f=webp']) {
        const [red, blue] = [await ask(served, first + path), await ask(served, second + path)]
        t.equal(await colourOf(red), 'red', `${first}${path}`)
        t.equal(await colourOf(blue), 'blue', `${second}${path}`)
        t.not(red.headers.etag, blue.headers.etag, 'and their entity tags differ')
        tags.add(red.headers.etag).add(blue.headers.etag)
        t.equal((await ask(served, second + path, { headers: { 'if-none-match': red.headers.etag ?? '' } })).status, 200, 'the tag of one is none of the other')
      }
    }
  }
})

t.test('modification times and sizes that are alike do not make two pictures one', async t => {
  const [red, blue] = [await picture('#f00'), await picture('#00f')]
  const size = Math.max(red.length, blue.length)
  const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(size - bytes.length)])
  const served = await servedPictures(t, { 'a.png': padded(red), 'b.png': padded(blue) })
  const { utimes } = await import('node:fs/promises')
  for (const name of ['a.png', 'b.png']) await utimes(join(served.root, name), 1_700_000_000, 1_700_000_000)
  await wait(100)
  t.equal(await colourOf(await ask(served, '/a.png?w=20')), 'red')
  t.equal(await colourOf(await ask(served, '/b.png?w=20')), 'blue')
  t.not((await ask(served, '/a.png?w=20')).headers.etag, (await ask(served, '/b.png?w=20')).headers.etag)
})

t.test('f=auto answers each client in its own format, and always says that it varies', async t => {
  const served = await servedPictures(t, { 'a.jpg': await picture('#f00', 'jpeg') })
  const clients: Array<[accept: string | undefined, type: string]> = [
    ['image/avif,image/webp,*/*', 'image/avif'], ['image/webp,*/*', 'image/webp'], ['*/*', 'image/jpeg'], [undefined, 'image/jpeg'], ['image/avif;q=0,image/webp', 'image/webp'], ['image/jpeg', 'image/jpeg'],
    ['text/html', 'image/jpeg'], ['image/webp;q=0', 'image/jpeg'], ['image/avif;q=0.1,image/webp;q=0.9', 'image/webp'], [`${'image/x,'.repeat(500)}image/webp`, 'image/webp'], ['image/WEBP', 'image/webp'], ['\tbroken;;;q=,', 'image/jpeg']
  ]
  const tags = new Map<string, string>()
  for (let round = 0; round < 2; round++) {
    for (const [accept, type] of clients) {
      const headers: Record<string, string> = accept === undefined ? {} : { accept }
      const answer = await ask(served, '/a.jpg?w=20&f=auto', { headers })
      t.match(answer, { status: 200, headers: { 'content-type': type, vary: /accept/i } }, `${accept?.slice(0, 40)}`)
      t.equal(`image/${(await sharp(answer.body).metadata()).format.replace('heif', 'avif')}`, type, 'and the bytes are of that type')
      tags.set(type, answer.headers.etag ?? '')
      const again = await ask(served, '/a.jpg?w=20&f=auto', { headers: { ...headers, 'if-none-match': answer.headers.etag ?? '' } })
      t.match(again, { status: 304, headers: { vary: /accept/i } })
      const head = await ask(served, '/a.jpg?w=20&f=auto', { method: 'HEAD', headers })
      t.match(head, { status: 200, headers: { 'content-type': type, vary: /accept/i } })
    }
  }
  t.equal(new Set(tags.values()).size, 3, 'three formats, three tags')
  const other = await ask(served, '/a.jpg?w=20&f=auto', { headers: { 'accept': '*/*', 'if-none-match': tags.get('image/avif') ?? '' } })
  t.equal(other.status, 200, 'a cache that holds one format cannot have it confirmed for another')
})

t.test('a format that is named does not depend on the client, and says so', async t => {
  const served = await servedPictures(t, { 'a.jpg': await picture('#f00', 'jpeg') })
  const answers = await Promise.all(['image/avif', 'text/html', '*/*'].map(async accept => await ask(served, '/a.jpg?w=20&f=webp', { headers: { accept } })))
  for (const { headers } of answers) {
    t.notMatch(headers.vary ?? '', /accept(?!-encoding)/i)
    t.equal(headers['content-type'], 'image/webp')
  }
  t.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 1)
})

t.test('hints of the client count only where they are asked for, and then the answer says so', async t => {
  const off = await servedPictures(t, { 'a.png': await picture('#f00') })
  const hints = { 'dpr': '3', 'width': '16', 'sec-ch-dpr': '3', 'save-data': 'on', 'viewport-width': '20', 'cookie': 'a=b', 'authorization': 'Bearer x', 'x-forwarded-host': 'evil.example', 'x-original-url': '/secret.png?w=1', 'x-http-method-override': 'DELETE' }
  const [plain, hinted] = [await ask(off, '/a.png?w=20&f=auto'), await ask(off, '/a.png?w=20&f=auto', { headers: hints })]
  t.equal(hinted.headers.etag, plain.headers.etag)
  t.same(hinted.body, plain.body)
  const on = await servedPictures(t, { 'a.png': await picture('#f00') }, { images: { clientHints: true } })
  for (const width of ['16', '1e9', '-1', 'NaN', '', '16,16', '99999999999999999999']) {
    const answer = await ask(on, '/a.png?f=png', { headers: { width, dpr: width, 'sec-ch-width': width } })
    t.match(answer, { status: 200, headers: { vary: /width/i } }, `Width: ${width}`)
  }
})

t.test('the order and the spelling of a URL change nothing; what means something else is something else', async t => {
  const served = await servedPictures(t, { 'a b.png': await picture('#f00'), 'a.png': await picture('#f00') })
  const same = ['/a%20b.png?w=20&h=16&fit=cover&f=webp', '/a%20b.png?f=webp&fit=cover&h=16&w=20', '/a%20%62.png?w=20&h=16&fit=cover&f=webp', '/%61%20b.png?%77=20&h=16&fm=webp&fit=crop', '/a%20b.png?width=20&height=16&fit=cover&format=webp&']
  const tags = new Set((await Promise.all(same.map(async path => await ask(served, path)))).map(({ headers }) => headers.etag))
  t.equal(tags.size, 1)
  const different = ['/a.png?w=20', '/a.png?w=200', '/a.png?h=20', '/a.png?w=20&h=16', '/a.png?w=20&blur=1', '/a.png?w=20&q=10&f=jpeg', '/a.png?w=20&f=jpeg', '/a.png?w=20&f=webp', '/a.png?w=20&f=webp&lossless', '/a.png?info', '/a.png?w=20&rot=90', '/a.png?w=20&flip=h', '/a.png?w=20&bg=fff&pad=1', '/a.png?w=20&bg=000&pad=1']
  const answers: Answer[] = []
  for (const path of different) answers.push(await ask(served, path))
  t.same(answers.map(({ status }) => status), different.map(() => 200))
  t.equal(new Set(answers.map(({ headers }) => headers.etag)).size, different.length)
  for (const path of ['/a.png?w=20&w=30', '/a.png?w=20&width=30', '/a.png?w=20&%77=30', '/_ipx/w_20,w_30/a.png', '/_ipx/w_20,width_30/a.png', '/a.png?w=20;w=30']) t.equal((await ask(served, path)).status, 400, `${path} is not settled by who reads it`)
})

t.test('an original that changes is never answered by what it was', async t => {
  const served = await servedPictures(t, { 'a.png': await picture('#f00') })
  const first = await ask(served, '/a.png?w=20')
  t.equal(await colourOf(first), 'red')
  // In place, and by another file of its name.
  await writeFile(join(served.root, 'a.png'), await picture('#00f'))
  t.ok(await eventually(async () => await colourOf(await ask(served, '/a.png?w=20')) === 'blue'))
  const confirmed = await ask(served, '/a.png?w=20', { headers: { 'if-none-match': first.headers.etag ?? '' } })
  t.equal(confirmed.status, 200)
  await writeFile(join(served.root, 'b.png'), await picture('#0f0'))
  await rename(join(served.root, 'b.png'), join(served.root, 'a.png'))
  t.ok(await eventually(async () => await colourOf(await ask(served, '/a.png?w=20')) === 'green'))
  const partial = await ask(served, '/a.png?w=20', { headers: { 'range': 'bytes=0-9', 'if-range': first.headers.etag ?? '' } })
  t.equal(partial.status, 200, 'no part of the new one completes the old one')
})

t.test('an original that was just changed is answered as it is now, at once', async t => {
  const served = await servedPictures(t, { 'a.png': await picture('#f00') })
  for (let n = 0; n < 4; n++) {
    t.equal((await ask(served, `/a.png?w=${16 + n * 16}`)).status, 200)
    await wait(100)
    await writeFile(join(served.root, 'new.png'), await picture(n % 2 === 0 ? '#00f' : '#f00'))
    await rename(join(served.root, 'new.png'), join(served.root, 'a.png'))
    // Not made before, so that no answer is kept that may still be given.
    const answer = await ask(served, `/a.png?h=${16 + n * 16}&f=png`)
    t.equal(answer.status, 200, `${answer.status} ${answer.text.slice(0, 100)}`)
    t.equal(await colourOf(answer), n % 2 === 0 ? 'blue' : 'red')
  }
})

t.test('an original that changes all the while never gives a picture of neither', async t => {
  const [red, blue] = [await picture('#f00'), await picture('#00f')]
  const served = await servedPictures(t, { 'a.png': red })
  const over = new AbortController()
  const changing = (async () => {
    for (let n = 0; !over.signal.aborted; n++) {
      await writeFile(join(served.root, 'a.png'), n % 2 === 0 ? blue : red)
      await wait(3)
    }
  })()
  const seen = new Set<string>()
  for (let n = 0; n < 60; n++) {
    const answer = await ask(served, `/a.png?w=${[16, 20, 24, 32][n % 4]}`)
    if (answer.status === 200) seen.add(await colourOf(answer))
    // Half written at that moment, it is broken; changing too often, it is not there for now.
    else t.ok([422, 415, 503].includes(answer.status), `${answer.status} ${answer.text.slice(0, 200)}`)
  }
  over.abort()
  await changing
  t.notOk(seen.has('green'))
  await writeFile(join(served.root, 'a.png'), blue)
  t.ok(await eventually(async () => {
    const answers = await Promise.all([16, 20, 24, 32].map(async width => await ask(served, `/a.png?w=${width}`)))
    return answers.every(({ status }) => status === 200) && (await Promise.all(answers.map(colourOf))).every(colour => colour === 'blue')
  }), 'and what it is at the end is what all sizes show')
})

t.test('after a purge nothing old is given, of this mount, and all of the other', async t => {
  const served = await twoMounts(t, ['/a', '/b'])
  for (const path of ['/a/cat.png?w=20', '/b/cat.png?w=20']) {
    t.equal((await ask(served, path)).headers['x-cache'], 'made')
    t.ok(await eventually(async () => String((await ask(served, path)).headers['x-cache']).startsWith('hit')))
  }
  // As another instance that shares the directory does, or `fastify-media purge`.
  const ledger = new DirectoryLedger({ directory: join(served.directory, 'variants'), onFault: fault => t.fail(String(fault)) })
  const purges = await Purges.open(ledger)
  t.teardown(async () => await purges.close())
  t.same((await purges.purge('original:/a/cat.png')).behind, [])
  t.equal((await ask(served, '/a/cat.png?w=20')).headers['x-cache'], 'made')
  t.match((await ask(served, '/b/cat.png?w=20')).headers['x-cache'], /^hit/)
  t.same((await purges.purge('prefix:/b')).behind, [])
  t.equal((await ask(served, '/b/cat.png?w=20')).headers['x-cache'], 'made')
})

t.test('a refusal is not kept as the picture, nor the picture as a refusal', async t => {
  const served = await servedPictures(t, { 'a.png': Buffer.from('no picture') })
  const refused = await ask(served, '/a.png?w=20')
  t.match(refused, { status: 415, headers: { 'content-type': /^application\/problem\+json/ } })
  t.notOk(refused.headers.etag ?? refused.headers['cache-tag'] ?? refused.headers['x-cache'], 'with nothing of a variant')
  t.notMatch(refused.headers['cache-control'] ?? '', /max-age=[1-9]|immutable/)
  await writeFile(join(served.root, 'a.png'), await picture('#f00'))
  t.ok(await eventually(async () => (await ask(served, '/a.png?w=20')).status === 200))
})
