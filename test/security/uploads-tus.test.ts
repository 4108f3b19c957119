// A resumable upload is a file that a stranger names, by an id in a URL and by Base64 in a header, and that
// lies on disk for as long as the stranger likes: ids that climb out of the directory (tusd issue 1080 and its
// like), ids of other people, metadata that only shows what it is after five gigabytes, lengths that lie, and
// X-HTTP-Method-Override, by which what a proxy lets through as POST becomes DELETE.
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { ask, raw, type Answer } from '../helpers/app.ts'
import { metadataOf, part, resumableServer, tus, type ResumableServer } from '../helpers/resumable.ts'

async function create (served: ResumableServer, headers: Record<string, string | string[]>, path = '/m/in'): Promise<Answer> {
  return await ask(served, path, { method: 'POST', headers: { ...tus, ...headers } })
}

async function begun (served: ResumableServer, headers: Record<string, string> = {}): Promise<string> {
  const { headers: { location } } = await create(served, { 'upload-length': '10', 'upload-metadata': metadataOf({ filename: 'a.bin' }), ...headers })
  return location as string
}

const offsetOf = async (served: ResumableServer, location: string, headers = {}): Promise<string | undefined> => (await ask(served, location, { method: 'HEAD', headers: { ...tus, ...headers } })).headers['upload-offset'] as string | undefined

t.test('no id leads to anything but an upload of its own', async t => {
  const served = await resumableServer(t)
  writeFileSync(`${served.directory}/../secret`, 'secret')
  writeFileSync(`${served.directory}/../secret.json`, JSON.stringify({ created: Date.now(), size: 6 }))
  const location = await begun(served)
  const id = location.slice(-32)
  const name = readdirSync(served.directory).find(name => name.endsWith(id)) as string
  const ids = ['', '.', '..', '../secret', '..%2fsecret', '%2e%2e%2fsecret', '..%5csecret', 'secret', `${id}.json`, `${id}%00`, `${id}%00.json`, name, id.slice(1), `${id}0`, id.toUpperCase(), ` ${id}`, `${id}/..`, `../in/.uploads/${id}`, `${id}%20`, '0'.repeat(32), `.uploads/${id}`, '/etc/passwd', `%2e%2e/${name}`, `${id};a`, `x${id}`]
  for (const method of ['HEAD', 'PATCH', 'DELETE']) {
    for (const each of ids) {
      const text = await raw(served, `${method} /m/in/.uploads/${each} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
      t.match(text, /^HTTP\/1\.1 4(?:00|04|05) /, `${method} ${each}`)
    }
  }
  t.ok(existsSync(`${served.directory}/../secret`))
  t.equal(await offsetOf(served, location), '0', 'its own is there')
  t.same(served.faults, [])
})

t.test('an upload is there for who began it, and where it was begun, and for nobody else', async t => {
  const served = await resumableServer(t)
  const own = await begun(served, { 'x-who': 'ada' })
  const nobodys = await begun(served)
  for (const [location, headers] of [[own, {}], [own, { 'x-who': 'bob' }], [nobodys, { 'x-who': 'ada' }], [own.replace('/in/', '/other/'), { 'x-who': 'ada' }], [own.replace('/in/', '/in/in/'), { 'x-who': 'ada' }], [own.replace('/in/', '/'), { 'x-who': 'ada' }]] as const) {
    for (const [method, more] of [['HEAD', {}], ['PATCH', { ...part, 'upload-offset': '0' }], ['DELETE', {}]] as const) {
      t.equal((await ask(served, location, { method, headers: { ...tus, ...more, ...headers }, ...(method === 'PATCH' ? { body: '1234567890' } : {}) })).status, 404, `${method} ${location} ${JSON.stringify(headers)}`)
    }
  }
  t.equal(await offsetOf(served, own, { 'x-who': 'ada' }), '0')
  t.equal(await offsetOf(served, nobodys), '0')
})

t.test('a name that no file may have is refused before anything is sent', async t => {
  const served = await resumableServer(t)
  for (const filename of ['../../etc/passwd', '..', '.', '', '.htaccess', 'a\u0000.png', '/etc/passwd', '..\\..\\x.bin', 'a\u202egnp.exe', 'con', 'x.php', 'x.exe.png', 'a'.repeat(300), '%2e%2e%2fx', 'a/../b', 'C:\\..\\x']) {
    for (const key of ['filename', 'name']) t.match(await create(served, { 'upload-length': '5000000', 'upload-metadata': metadataOf({ [key]: filename }) }), { status: 400, headers: { 'x-code': 'bad-name', 'tus-resumable': '1.0.0' } }, filename)
  }
  t.same(readdirSync(served.directory), [])
})

t.test('metadata is read strictly, and is bounded', async t => {
  const served = await resumableServer(t)
  const bad = ['filename', ' ', ',', 'filename YQ', 'filename YQ==,', ',filename YQ==', 'filename YQ===', 'filename YR==', 'filename Y Q==', 'filename Y*Q=', 'filename YQ==,filename Yg==', 'filename YQ==\tx', 'filename _-8=', `filename ${Buffer.from([0xff, 0xfe]).toString('base64')}`, `filename ${Buffer.from([0xc0, 0xae]).toString('base64')}`, '__proto__ YQ==', 'constructor YQ==', `filename ${Buffer.alloc(4000, 97).toString('base64')}`, `${'k'.repeat(5000)} YQ==`, 'f\u00fc YQ==']
  for (const metadata of bad) {
    const text = await raw(served, Buffer.from(`POST /m/in HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 1\r\nUpload-Metadata: ${metadata}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, 'latin1'))
    t.match(text, /^HTTP\/1\.1 400 /, metadata.slice(0, 60))
  }
  t.same(readdirSync(served.directory), [])
  t.equal((await create(served, { 'upload-length': '1', 'upload-metadata': `${metadataOf({ filename: 'a.bin' })},flag,empty ` })).status, 201, 'as the protocol allows it')
})

t.test('lengths and offsets are counts of bytes in the one spelling there is', async t => {
  const served = await resumableServer(t)
  const location = await begun(served)
  const bad = ['-1', '+1', '1.0', '1e3', '0x10', '00', ' ', '1 2', 'ten', 'NaN', 'Infinity', '9007199254740993', '99999999999999999999999', '1, 1', '1;']
  for (const value of bad) {
    t.equal((await create(served, { 'upload-length': value })).status, 400, `Upload-Length: ${value}`)
    t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': value }, body: 'a' })).status, 400, `Upload-Offset: ${value}`)
    t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'upload-length': value }, body: 'a' })).status, 400, `Upload-Length of PATCH: ${value}`)
  }
  for (const headers of [{}, { 'upload-length': '1', 'upload-defer-length': '1' }, { 'upload-defer-length': '0' }, { 'upload-defer-length': 'true' }] as Array<Record<string, string>>) t.equal((await create(served, headers)).status, 400, JSON.stringify(headers))
  t.equal((await ask(served, location, { method: 'PATCH', headers: part, body: 'a' })).status, 400, 'no offset')
  t.equal(await offsetOf(served, location), '0')
})

t.test('nothing beyond what was announced, or may come, is kept', async t => {
  const served = await resumableServer(t, { maxBytes: 1000 })
  t.match(await create(served, { 'upload-length': '1001' }), { status: 413, headers: { 'x-code': 'body-too-large' } })
  t.match(await create(served, { 'upload-length': '5000000000000' }), { status: 413 })
  const location = await begun(served)
  t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '0' }, body: '12345678901' })).status, 413, 'by its announced length')
  t.equal(await offsetOf(served, location), '0')
  const chunked = await raw(served, `PATCH ${location} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n`)
  t.match(chunked, /^HTTP\/1\.1 413 /, 'by what came')
  t.equal(await offsetOf(served, location), '0')
  t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'upload-length': '20' }, body: 'a' })).status, 400, 'a length that was told stays')
  t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '3' }, body: 'a' })).status, 409)

  const { headers: { location: deferred = '' } } = await create(served, { 'upload-defer-length': '1' })
  t.equal((await ask(served, deferred, { method: 'PATCH', headers: { ...part, 'upload-offset': '0' }, body: randomBytes(1001) })).status, 413)
  t.equal((await ask(served, deferred, { method: 'PATCH', headers: { ...part, 'upload-offset': '0' }, body: randomBytes(600) })).status, 204)
  t.equal((await ask(served, deferred, { method: 'PATCH', headers: { ...part, 'upload-offset': '600' }, body: randomBytes(401) })).status, 413, 'parts count together')
  t.equal((await ask(served, deferred, { method: 'PATCH', headers: { ...part, 'upload-offset': '600', 'upload-length': '1001' }, body: '' })).status, 413)
  t.equal((await ask(served, deferred, { method: 'PATCH', headers: { ...part, 'upload-offset': '600', 'upload-length': '599' }, body: '' })).status, 400, 'less than there is')
  t.equal(await offsetOf(served, deferred), '600')
  const none = await resumableServer(t, { maxBytes: 0 })
  t.equal((await create(none, { 'upload-length': '1' })).status, 413)
  const { headers: { location: empty = '' } } = await create(none, { 'upload-defer-length': '1' })
  t.equal((await ask(none, empty, { method: 'PATCH', headers: { ...part, 'upload-offset': '0' }, body: 'a' })).status, 413, 'no bytes are no bound that is missing')
  t.same(none.writer.added, [])
})

t.test('another version of the protocol, and parts of it that are not offered, are refused as it says', async t => {
  const served = await resumableServer(t)
  const location = await begun(served)
  for (const [method, path] of [['POST', '/m/in'], ['HEAD', location], ['PATCH', location], ['DELETE', location]] as const) {
    for (const version of [{}, { 'tus-resumable': '0.2.2' }, { 'tus-resumable': '1.0.0, 1.0.0' }] as Array<Record<string, string>>) {
      t.match(await ask(served, path, { method, headers: { 'upload-length': '1', 'upload-offset': '0', 'content-type': part['content-type'], ...version } }), { status: 412, headers: { 'tus-version': '1.0.0', 'tus-resumable': '1.0.0' } }, method)
    }
  }
  t.match(await create(served, { 'upload-length': '1', 'upload-concat': 'partial' }), { status: 501, headers: { 'x-code': 'not-implemented' } })
  t.match(await create(served, { 'upload-concat': `final;${location} http://169.254.169.254/` }), { status: 501 })
  for (const type of ['application/octet-stream', 'multipart/form-data; boundary=x', 'application/offset+octet-stream; charset=utf-8', '']) {
    t.equal((await ask(served, location, { method: 'PATCH', headers: { ...part, 'upload-offset': '0', 'content-type': type }, body: 'a' })).status, 415, type)
    t.equal((await ask(served, '/m/in', { method: 'POST', headers: { ...tus, 'upload-length': '1', 'content-type': type }, body: 'a' })).status, 415, type)
  }
  t.match(await ask(served, location, { method: 'GET', headers: tus }), { status: 405, headers: { allow: 'HEAD, PATCH, DELETE, OPTIONS' } })
  t.match(await ask(served, location, { method: 'PUT', headers: tus }), { status: 405 })
  t.match(await ask(served, '/m/in', { method: 'HEAD', headers: tus }), { status: 405, headers: { allow: 'POST, OPTIONS' } }, 'a directory is no upload')
})

t.test('no other header changes what a request does', async t => {
  const served = await resumableServer(t)
  const location = await begun(served)
  const override = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' }
  t.equal((await ask(served, location, { method: 'HEAD', headers: { ...tus, ...override } })).status, 200)
  t.equal((await ask(served, location, { method: 'POST', headers: { ...tus, ...override } })).status, 405)
  t.equal(await offsetOf(served, location), '0', 'it is still there')
  const created = await create(served, { 'upload-length': '1', origin: 'https://evil.example', host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'gopher', forwarded: 'host=evil.example;proto=https' })
  t.equal(created.status, 201)
  t.match(created.headers.location, /^\/m\/in\/\.uploads\/[0-9a-f]{32}$/)
  t.notOk(Object.keys(created.headers).some(name => name.startsWith('access-control')), 'who may read it across origins is the mount\'s to say')
})

t.test('ids cannot be guessed', async t => {
  const served = await resumableServer(t)
  const ids = new Set<string>()
  for (let round = 0; round < 20; round++) ids.add((await begun(served)).slice(-32))
  t.equal(ids.size, 20)
  t.ok(new Set([...ids].map(id => id.slice(0, 4))).size > 10)
})
