// A real tus client uploads over connections that are cut, where everybody may read and few may write.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { Upload, type UploadOptions } from 'tus-js-client'
import { ask } from '../helpers/app.ts'
import { cuttingProxy } from '../helpers/cutting-proxy.ts'
import { asWriter, readerKey, serveWritable } from '../helpers/writable.ts'

t.setTimeout(120_000)

/** @returns the URL of the upload, once it is done */
async function upload (bytes: Buffer, options: Partial<UploadOptions>): Promise<string> {
  return await new Promise((resolve, reject) => {
    const one = new Upload(bytes, {
      headers: asWriter,
      metadata: { filename: 'film.bin' },
      retryDelays: [0, 20, 40, 80, 160, 320],
      onError: reject,
      onSuccess: () => resolve(one.url ?? ''),
      ...options
    })
    one.start()
  })
}

const film = (size: number): Buffer => Buffer.concat([Buffer.alloc(16), randomBytes(size)])

t.test('three cuts, whole or in chunks, and the file is what was sent', async t => {
  const served = await serveWritable(t)
  for (const [n, chunkSize] of [Infinity, 700_000].entries()) {
    const proxy = await cuttingProxy(t, served.port, [300_000, 500_000, 250_000])
    const bytes = film(3_000_000)
    const url = await upload(bytes, { endpoint: `http://127.0.0.1:${proxy.port}/files/films/`, metadata: { filename: `film-${n}.bin` }, chunkSize })
    t.equal(proxy.left(), 0, 'it was cut three times')
    t.match(new URL(url).pathname, /^\/files\/films\/\.uploads\/[0-9a-f]{32}$/)
    t.ok((await ask(served, `/files/films/film-${n}.bin`)).body.equals(bytes))
  }
})

t.test('how far an upload is is told to who began it, and to nobody else', async t => {
  const served = await serveWritable(t)
  const made = await ask(served, '/files/', { method: 'POST', headers: { ...asWriter, 'tus-resumable': '1.0.0', 'upload-length': '10', 'upload-metadata': `filename ${Buffer.from('a.txt').toString('base64')}` } })
  t.match(made, { status: 201, headers: { 'location': /^\/files\/\.uploads\/[0-9a-f]{32}$/, 'tus-resumable': '1.0.0', 'access-control-allow-origin': undefined } })
  const { location = '' } = made.headers
  const head = async (headers: Record<string, string>): ReturnType<typeof ask> => await ask(served, location, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0', ...headers } })
  t.match(await head(asWriter), { status: 200, headers: { 'upload-offset': '0', 'upload-length': '10', 'cache-control': /no-store/ } })
  t.equal((await head({})).status, 401)
  t.equal((await head({ 'x-api-key': readerKey })).status, 403)
  t.equal((await ask(served, location, { headers: asWriter })).status, 404, 'nothing of it can be read')
  t.equal((await ask(served, location, { method: 'GET', headers: { ...asWriter, 'tus-resumable': '1.0.0' } })).status, 404)
  t.equal((await head({ ...asWriter, 'tus-resumable': '0.2.2' })).status, 412)
  const patch = async (offset: number, body: string): ReturnType<typeof ask> => await ask(served, location, { method: 'PATCH', body, headers: { ...asWriter, 'tus-resumable': '1.0.0', 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' } })
  t.match(await patch(0, 'hello'), { status: 204, headers: { 'upload-offset': '5' } })
  t.equal((await patch(3, 'x')).status, 409)
  t.match(await patch(5, 'world'), { status: 204, headers: { 'upload-offset': '10', 'content-location': '/files/a.txt' } })
  t.equal((await ask(served, '/files/a.txt')).text, 'helloworld')
})

t.test('what is certain is refused before a byte is sent', async t => {
  const served = await serveWritable(t, { files: { 'there.txt': 'x' }, writing: { maxBytes: 1000, quotas: { mount: { bytes: 500 } } } })
  const begin = async (name: string | undefined, length: number): Promise<string> => {
    const { status, text } = await ask(served, '/files/', { method: 'POST', headers: { ...asWriter, 'tus-resumable': '1.0.0', 'upload-length': String(length), ...(name === undefined ? {} : { 'upload-metadata': `filename ${Buffer.from(name).toString('base64')}` }) } })
    return text === '' ? String(status) : `${status} ${String((JSON.parse(text) as { code: unknown }).code)}`
  }
  t.equal(await begin('a.txt', 100), '201')
  t.equal(await begin('a.txt', 1001), '413 body-too-large')
  t.equal(await begin('a.txt', 700), '507 quota-exceeded')
  t.equal(await begin('there.txt', 10), '409 conflict')
  t.equal(await begin(undefined, 10), '400 bad-name')
  for (const name of ['../up.txt', '/etc/passwd', 'con.txt', '.env', 'a\u0000.txt', '\u202egpj.txt']) t.equal(await begin(name, 10), '400 bad-name', JSON.stringify(name))
})
