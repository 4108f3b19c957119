import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, raw, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { bucketConfig, noRadosgw, ownRadosgw, radosgw, signedFetch, type Bucket } from '../helpers/radosgw.ts'

const skip = noRadosgw

async function redirecting (t: Test, bucket: Bucket, { source = {}, mount = {}, rest = {} }: { source?: object, mount?: object, rest?: object } = {}): Promise<Served> {
  return await serveMedia(t, { sources: { bucket: { ...bucketConfig(bucket), prefix: 'originals/', ...source } }, mounts: [{ prefix: '/files', source: 'bucket', delivery: 'redirect', ...mount }], ...rest } as unknown as MediaOptions)
}

/** A bucket with a file among the originals, and one beside them. */
async function filled (bucket: Bucket, files: Record<string, string | Buffer> = { 'originals/a.txt': 'meow', 'originals/deep/b.txt': 'deeper', 'secret.txt': 'secret' }): Promise<Bucket> {
  for (const [name, body] of Object.entries(files)) await put(bucket, name, body)
  return bucket
}

async function put (bucket: Bucket, name: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<void> {
  const path = name.split('/').map(segment => encodeURIComponent(segment).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)).join('/')
  const { status } = await signedFetch(bucket)(`/${path}`, { method: 'PUT', body: typeof body === 'string' ? body : new Uint8Array(body), headers })
  if (status !== 200) throw new Error(`Expected 200 for ${name} but received ${status}`)
}

async function locationOf (served: Served, path: string, method = 'GET'): Promise<string> {
  const { status, headers } = await ask(served, path, { method })
  if (status !== 302) throw new Error(`Expected 302 for ${path} but received ${status}`)
  return String(headers.location)
}

t.test('a redirect leads to the bytes, for whoever has it, and nobody may keep it', { skip }, async t => {
  const bucket = await filled(await radosgw(t))
  const served = await redirecting(t, bucket)
  const answer = await ask(served, '/files/a.txt')
  t.match(answer, { status: 302, text: '', headers: { 'cache-control': 'no-store', 'content-length': '0' } })
  t.ok(String(answer.headers.location).startsWith(`${bucket.endpoint}/${bucket.bucket}/originals/a.txt?`))
  const stored = await fetch(String(answer.headers.location))
  t.equal(stored.status, 200)
  t.equal(await stored.text(), 'meow')
  t.match(stored.headers.get('content-type'), /^text\/plain/)
  t.equal(await (await fetch(`${served.url}/files/deep/b.txt`)).text(), 'deeper', 'who follows by itself gets it too')
  t.equal((await fetch(`${served.url}/files/deep/b.txt`)).redirected, true)
  t.match(await ask(await redirecting(t, bucket, { mount: { redirect: { status: 307 }, cache: { default: '30d immutable' } } }), '/files/a.txt'), { status: 307, headers: { 'cache-control': 'no-store' } })
})

t.test('ranges and conditions are between the client and the store', { skip }, async t => {
  const bytes = randomBytes(100_000)
  const served = await redirecting(t, await filled(await radosgw(t), { 'originals/a.bin': bytes }))
  const location = await locationOf(served, '/files/a.bin')
  const part = await fetch(location, { headers: { range: 'bytes=1000-1999' } })
  t.equal(part.status, 206)
  t.equal(part.headers.get('content-range'), 'bytes 1000-1999/100000')
  t.ok(bytes.subarray(1000, 2000).equals(Buffer.from(await part.arrayBuffer())))
  const followed = await fetch(`${served.url}/files/a.bin`, { headers: { range: 'bytes=-5' } })
  t.equal(followed.status, 206)
  t.ok(bytes.subarray(-5).equals(Buffer.from(await followed.arrayBuffer())))
  t.equal((await fetch(location, { headers: { 'if-none-match': part.headers.get('etag') ?? '' } })).status, 304)
})

t.test('a HEAD is sent to a URL that is for HEAD', { skip }, async t => {
  const served = await redirecting(t, await filled(await radosgw(t)))
  const location = await locationOf(served, '/files/a.txt', 'HEAD')
  const head = await fetch(location, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), '4')
  t.equal((await fetch(location)).status, 403, 'and for nothing else')
  t.equal((await fetch(await locationOf(served, '/files/a.txt'), { method: 'DELETE' })).status, 403)
  t.equal((await fetch(await locationOf(served, '/files/a.txt'), { method: 'PUT', body: 'x' })).status, 403)
  t.equal(await (await fetch(await locationOf(served, '/files/a.txt'))).text(), 'meow')
  t.match(await ask(served, '/files/a.txt', { method: 'POST', body: 'x' }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.equal((await ask(served, '/files/a.txt', { method: 'DELETE' })).status, 405)
})

t.test('what is missing, hidden or a directory is 404 here, and there is no redirect', { skip }, async t => {
  const served = await redirecting(t, await filled(await radosgw(t), { 'originals/a.txt': 'x', 'originals/deep/b.txt': 'x', 'originals/.hidden': 'x', 'originals/.git/config': 'x' }))
  for (const path of ['/files/missing.txt', '/files/deep', '/files/deep/', '/files/a.txt/', '/files/a.txt/b', '/files', '/files/', '/files/.hidden', '/files/.git/config', `/files/${'x'.repeat(1100)}`]) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(served, path, { method })
      t.equal(answer.status, 404, `${method} ${path}`)
      t.equal(answer.headers.location, undefined)
    }
  }
})

t.test('no path leads out of the beginning that names have', { skip }, async t => {
  const bucket = await filled(await radosgw(t))
  const served = await redirecting(t, bucket)
  for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/deep/../../secret.txt', '/%2e%2e%2fsecret.txt', '/..\\secret.txt', '/..%5csecret.txt', '//secret.txt', '/a.txt%00', '/./a.txt', '/deep//b.txt', '/%c0%ae%c0%ae/secret.txt', '/%E0%A4%A', '/a.txt%0d%0aX-Injected:1', '/?prefix=&list-type=2', '/a.txt/../../secret.txt', '/%252e%252e/secret.txt']) {
    const answer = await raw(served, `GET /files${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 40[04] /, path)
    t.notMatch(answer, /\r\n(?:location|X-Injected):/i, path)
  }
  const location = await locationOf(served, '/files/a.txt')
  t.not((await fetch(location.replace('/originals/a.txt', '/secret.txt'))).status, 200, 'nor does the redirect by itself')
  t.equal((await fetch(`${bucket.endpoint}/${bucket.bucket}/originals/a.txt`)).status, 403)
})

t.test('odd names arrive', { skip }, async t => {
  const names = ['a b+c&d=é?#%.txt', 'it\'s (1)!*~.txt', '猫/ネコ🐈.txt', 'a%20b.txt', 'e\u0301.txt', '?x=1', '&', '+', 'a;b,c@d:$e.txt', '<script>"x".txt']
  const served = await redirecting(t, await filled(await radosgw(t), Object.fromEntries(names.map(name => [`originals/${name}`, name]))))
  for (const name of names) {
    const path = `/files/${name.split('/').map(encodeURIComponent).join('/')}`
    const stored = await fetch(await locationOf(served, path))
    t.equal(await stored.text(), name, path)
  }
})

t.test('a URL that is over or changed is refused by the store', { skip }, async t => {
  const served = await redirecting(t, await filled(await radosgw(t)), { source: { presignSeconds: 1 } })
  const location = await locationOf(served, '/files/a.txt')
  t.match(location, /[?&]X-Amz-Expires=1(?:&|$)/)
  t.ok(await eventually(async () => (await fetch(location)).status === 403))
  t.equal(await (await fetch(await locationOf(served, '/files/a.txt'))).text(), 'meow', 'another is good')
  const lasting = await redirecting(t, await filled(await radosgw(t)))
  const good = await locationOf(lasting, '/files/a.txt')
  for (const forged of [good.replace('a.txt', 'deep/b.txt'), good.replace(/(X-Amz-Expires)=\d+/, '$1=604800'), good.replace(/(X-Amz-Signature)=./, '$1=x'), good.replace(/&X-Amz-Signature=[^&]+/, ''), `${good}&response-content-type=text%2Fhtml`]) {
    t.equal((await fetch(forged)).status, 403, forged.slice(good.length - 200))
  }
  t.equal((await fetch(good)).status, 200)
})

t.test('nothing that is secret stands in the redirect or in the log, and nothing of the query goes along', { skip }, async t => {
  const bucket = await filled(await radosgw(t))
  const served = await redirecting(t, bucket)
  const location = await locationOf(served, '/files/a.txt?token=abc&X-Amz-Expires=604800&versionId=1&acl&response-content-type=text/html')
  t.notMatch(location, /token|versionId|acl|html|604800/)
  t.notMatch(location, new RegExp(bucket.secretAccessKey))
  t.same([...new URL(location).searchParams.keys()].filter(name => name !== 'response-content-type').toSorted(), ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-Signature', 'X-Amz-SignedHeaders'])
  t.equal((await fetch(location)).status, 200)
  t.notMatch(JSON.stringify(served.logs), /X-Amz-Signature/)
  t.notMatch(JSON.stringify(served.logs), new RegExp(bucket.secretAccessKey))
})

t.test('download names what is saved, and can be nothing but a name', { skip }, async t => {
  const served = await redirecting(t, await filled(await radosgw(t)))
  const dispositionOf = async (query: string): Promise<string | null> => {
    const stored = await fetch(await locationOf(served, `/files/a.txt${query}`))
    t.equal(stored.status, 200, query)
    t.equal(await stored.text(), 'meow')
    return stored.headers.get('content-disposition')
  }
  t.equal(await dispositionOf(''), null)
  t.equal(await dispositionOf('?download'), 'attachment; filename*=UTF-8\'\'a.txt')
  t.equal(await dispositionOf('?download=%C3%BC%20%22x%22.txt'), 'attachment; filename*=UTF-8\'\'%C3%BC%20%22x%22.txt')
  t.equal(await dispositionOf('?download=..%2F..%2Fetc%2Fpasswd'), 'attachment; filename*=UTF-8\'\'passwd')
  t.equal(await dispositionOf('?download=a&download=b'), 'attachment; filename*=UTF-8\'\'a.txt')
  t.notMatch(await dispositionOf('?download=x%0D%0ASet-Cookie:%20a=b'), /[\r\n]/)
  t.notMatch(await dispositionOf('?download=x%22;%20filename=%22evil.exe'), /filename="/)
})

t.test('who may not read is not sent anywhere, and is not told what there is', { skip }, async t => {
  const key = 'fm_a-key-for-tests-only-0123456789'
  const keys = [{ name: 'reader', hash: `sha256:${createHash('sha256').update(key).digest('hex')}` }]
  const served = await redirecting(t, await filled(await radosgw(t)), { mount: { access: { read: ['machines'] } }, rest: { strategies: { machines: { driver: 'apiKey', keys } } } })
  for (const path of ['/files/a.txt', '/files/missing.txt', '/files/../secret.txt']) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(served, path, { method })
      t.equal(answer.headers.location, undefined)
      t.equal(answer.status, 401, `${method} ${path}`)
    }
  }
  const answer = await ask(served, '/files/a.txt', { headers: { authorization: `Bearer ${key}` } })
  t.match(answer, { status: 302, headers: { 'cache-control': /no-store/ } })
  t.equal(await (await fetch(String(answer.headers.location))).text(), 'meow', 'and its credentials stay here')
  t.notMatch(String(answer.headers.location), new RegExp(key))
})

t.test('without credentials of ours clients are sent to what everybody may read', { skip }, async t => {
  const bucket = await radosgw(t)
  await put(bucket, 'originals/open.txt', 'open', { 'x-amz-acl': 'public-read' })
  await put(bucket, 'originals/closed.txt', 'closed')
  const { accessKeyId, secretAccessKey, ...open } = bucketConfig(bucket)
  const served = await serveMedia(t, { sources: { bucket: { ...open, prefix: 'originals/' } }, mounts: [{ prefix: '/files', source: 'bucket', delivery: 'redirect' }] })
  t.ok(accessKeyId !== undefined && secretAccessKey !== undefined)
  for (const query of ['', '?download=x.txt']) {
    const stored = await fetch(await locationOf(served, `/files/open.txt${query}`))
    t.equal(stored.status, 200, query)
    t.equal(await stored.text(), 'open')
  }
  t.equal((await ask(served, '/files/closed.txt')).status, 403)
})

t.test('while the store is away it is 503, and then goes on', { skip }, async t => {
  const own = await ownRadosgw(t)
  const served = await redirecting(t, await filled(own))
  t.equal((await ask(served, '/files/a.txt')).status, 302)
  await own.kill()
  const answer = await ask(served, '/files/a.txt')
  t.match(answer, { status: 503, headers: { 'content-type': /problem\+json/, 'retry-after': /^\d+$/ } })
  t.equal(answer.headers.location, undefined)
  t.notMatch(answer.text, /127\.0\.0\.1|bucket-|X-Amz/)
  await own.restart()
  t.ok(await eventually(async () => (await ask(served, '/files/a.txt')).status === 302))
})
