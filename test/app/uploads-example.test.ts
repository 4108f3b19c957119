// examples/uploads.config.yaml as it stands there, served by two processes that share a bucket and a Redis: a picture
// is uploaded to the one over a connection that is cut, comes out of the other, and is told of to who was away at first.
import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { Upload } from 'tus-js-client'
import { keyHash } from '../../lib/access/api-keys.ts'
import { root, run, serving } from '../cli/process.ts'
import { ask, scratch } from '../helpers/app.ts'
import { cuttingProxy } from '../helpers/cutting-proxy.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { noRadosgw, radosgw } from '../helpers/radosgw.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'

t.setTimeout(180_000)

const example = join(root, 'examples/uploads.config.yaml')
const skip = noRadosgw !== false ? noRadosgw : noRedis ?? false

t.test('a picture that is uploaded in pieces comes out of another instance, and a webhook that was away hears of it', { skip }, async t => {
  const bucket = await radosgw(t)
  const redis = await testRedis(t)
  const [key, signingSecret, webhookSecret] = [`fm_${randomBytes(32).toString('base64url')}`, randomBytes(48).toString('base64'), randomBytes(48).toString('base64')]
  const hookPort = await freePort()
  const env = async (): Promise<Record<string, string>> => ({
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    REDIS_URL: redis.url,
    WEBHOOK_URL: `http://127.0.0.1:${hookPort}/hooks/media`,
    WEBHOOK_SECRET: webhookSecret,
    SIGNING_SECRET: signingSecret,
    EDITOR_KEY_HASH: keyHash(key),
    UPLOADS_DIRECTORY: await scratch(t)
  })
  const [one, two] = [await serving(t, ['--config', example], { env: await env() }), await serving(t, ['--config', example], { env: await env() })]

  const width = 1200
  const picture = await sharp(randomBytes(width * 900 * 3), { raw: { width, height: 900, channels: 3 } }).jpeg({ quality: 90 }).toBuffer()
  const proxy = await cuttingProxy(t, one.port, [200_000, 150_000, 300_000])
  const uploaded = await new Promise<string | null>((resolve, reject) => {
    const upload = new Upload(picture, {
      endpoint: `http://127.0.0.1:${proxy.port}/photos/2026/`,
      headers: { 'X-API-Key': key },
      metadata: { filename: 'noise.jpg', filetype: 'image/jpeg' },
      chunkSize: 400_000,
      retryDelays: [0, 50, 100, 200, 400, 800],
      onError: reject,
      onSuccess: () => resolve(upload.url)
    })
    upload.start()
  })
  t.match(uploaded, /\/photos\/2026\/\.uploads\/[0-9a-f]{32}$/)
  t.equal(proxy.left(), 0, 'the connection was cut three times')

  t.equal((await ask(two, '/photos/2026/noise.jpg?w=320&f=auto')).status, 401)
  const { stdout, stderr } = await run(t, ['sign', '/photos/2026/noise.jpg?w=320&f=auto', '--config', example], { env: await env() })
  t.equal(stderr, '')
  const variant = await ask(two, stdout.trim(), { headers: { accept: 'image/webp' } })
  t.match(variant, { status: 200, headers: { 'content-type': 'image/webp', 'cache-control': /^private/ } })
  t.match(await sharp(variant.body).metadata(), { width: 320, format: 'webp' })
  const original = await ask(two, '/photos/2026/noise.jpg', { headers: { 'x-api-key': key } })
  t.ok(original.body.equals(picture), 'and the original is what was sent')
  const listed = JSON.parse((await ask(two, '/api/v1/list?path=/photos/2026/', { headers: { 'x-api-key': key } })).text) as { entries: Array<{ name: string }> }
  t.same(listed.entries.map(({ name }) => name), ['noise.jpg'])

  const heard: Array<{ headers: Record<string, string | string[] | undefined>, body: string }> = []
  const hook = createHttpServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      heard.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>(resolve => hook.listen(hookPort, '127.0.0.1', resolve))
  t.teardown(() => { hook.close(); hook.closeAllConnections() })
  t.ok(await eventually(() => heard.length > 0, 90_000), 'who was away hears of it')
  const [{ headers, body } = { headers: {}, body: '' }] = heard
  t.match(JSON.parse(body), { type: 'file.created', data: { path: '/photos/2026/noise.jpg', size: picture.length, contentType: 'image/jpeg', principal: 'editors:editor' } })
  const signed = createHmac('sha256', webhookSecret).update(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`).digest('base64')
  t.ok(String(headers['webhook-signature']).split(' ').includes(`v1,${signed}`), 'signed, so that it can be believed')

  t.equal((await ask(one, '/photos/2026/noise.jpg', { method: 'DELETE', headers: { 'x-api-key': key } })).status, 204)
  for (const served of [one, two]) t.equal((await ask(served, '/photos/2026/noise.jpg', { headers: { 'x-api-key': key } })).status, 404, 'what is deleted is gone everywhere')
  for (const served of [one, two]) {
    const text = served.stdout() + served.stderr()
    for (const secret of [key, signingSecret, webhookSecret, bucket.secretAccessKey]) t.notMatch(text, secret, 'no secret is in the log')
  }
})

t.test('its comment says what is done', t => {
  const text = readFileSync(example, 'utf8')
  for (const [, name = ''] of text.matchAll(/\$\{(\w+)\}/g)) t.match(text, new RegExp(`^#.*\\b${name}=`, 'm'), name)
  t.end()
})
