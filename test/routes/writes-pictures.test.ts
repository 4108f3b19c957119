// Pictures that are uploaded, over real sockets: what is done with them before they are kept, and what is made of them.
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { deflateSync, crc32 } from 'node:zlib'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import type { FileEvent } from '../../lib/writing/parts.ts'
import { ask, type Answer } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { asWriter, form, put, serveWritable } from '../helpers/writable.ts'

t.setTimeout(120_000)

const jpeg = async (width = 600, height = 400): Promise<Buffer> => await sharp({ create: { width, height, channels: 3, background: '#336699' } })
  .withExif({ IFD0: { Copyright: 'Ann' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1', GPSLongitudeRef: 'W', GPSLongitude: '0/1 7/1 0/1' } })
  .jpeg().toBuffer()

/** What of a picture's EXIF names a place. */
const tellsPlace = async (bytes: Buffer): Promise<boolean> => (await sharp(bytes).metadata()).exif?.includes(Buffer.from([51, 0, 0, 0, 1, 0, 0, 0])) ?? false

t.test('where a picture was taken is taken out, and what it is stays', async t => {
  const picture = await jpeg()
  t.equal(await tellsPlace(picture), true, 'it tells to begin with')
  const served = await serveWritable(t, { writing: { images: { metadata: 'no-location' } } })
  const answer = await put(served, '/files/a.jpg', picture)
  t.match(answer, { status: 201, headers: { etag: undefined } }, 'what is kept is not what was sent: no validator (RFC 9110 §9.3.4)')
  const kept = (await ask(served, '/files/a.jpg')).body
  t.equal(await tellsPlace(kept), false)
  t.ok((await sharp(kept).metadata()).exif?.includes('Ann'), 'who made it is still told')
  t.ok((await sharp(kept).raw().toBuffer()).equals(await sharp(picture).raw().toBuffer()), 'and no pixel changed')
})

t.test('what is larger than it may be is scaled down; what is encoded anew is nothing but a picture', async t => {
  const served = await serveWritable(t, { writing: { images: { maxSide: 300, reencode: true } } })
  const polyglot = Buffer.concat([await jpeg(3000, 2000), Buffer.alloc(100_000), Buffer.from('PK\u0003\u0004 an archive <script>alert(1)</script>')])
  t.equal((await put(served, '/files/a.jpg', polyglot)).status, 201)
  t.equal((await put(served, '/files/b.jpg', Buffer.concat([await jpeg(), Buffer.from('<script>alert(1)</script>')]))).status, 415, 'what shows in its beginning is refused at once')
  const { body } = await ask(served, '/files/a.jpg')
  t.match(await sharp(body).metadata(), { format: 'jpeg', width: 300, height: 200 })
  t.notOk(body.includes('<script>'))
  t.notOk(body.includes('Ann'))
})

/** A PNG that says it has so many pixels. */
function bomb (side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(side, 0)
  head.writeUInt32BE(side, 4)
  head.set([8, 0, 0, 0, 0], 8)
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.alloc(side))), chunk('IEND', Buffer.alloc(0))])
}

t.test('bombs and what is broken are refused, and nothing of them is kept', async t => {
  const served = await serveWritable(t)
  const whole = await jpeg(1200, 900)
  const attempts: Array<[string, Buffer, string]> = [['b.png', bomb(50_000), 'image-too-large'], ['c.jpg', whole.subarray(0, whole.length / 2), 'broken-image'], ['d.png', bomb(64), 'broken-image']]
  for (const [name, bytes, code] of attempts) t.match(JSON.parse((await put(served, `/files/${name}`, bytes)).text), { status: 422, code }, name)
  const { body, headers } = form([{ filename: 'good.jpg', body: whole }, { filename: 'bomb.png', body: bomb(50_000) }])
  t.equal((await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } })).status, 422)
  for (const name of ['b.png', 'c.jpg', 'd.png', 'good.jpg']) t.equal((await ask(served, `/files/${name}`)).status, 404, name)
})

t.test('presets are made ahead, and who replaces a picture gets variants of the new one at once', async t => {
  const served = await serveWritable(t, { writing: { makeAhead: ['thumb'] }, mount: { images: { presets: { thumb: 'w=64&h=64&fit=cover' } } } })
  t.equal((await put(served, '/files/a.jpg', await jpeg())).status, 201)
  const thumb = async (): Promise<Answer> => await ask(served, '/files/a.jpg?preset=thumb')
  t.ok(await eventually(async () => (await ask(served, '/files/a.jpg?preset=thumb', { method: 'HEAD' })).headers['content-length'] !== undefined), 'it is there before anybody asked for it')
  const before = await thumb()
  t.match(before.headers['x-cache'], /^hit/, 'and it is that which is sent')
  t.match(await sharp(before.body).metadata(), { width: 64, height: 64 })
  const red = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#ff0000' } }).jpeg().toBuffer()
  t.equal((await put(served, '/files/a.jpg', red)).status, 204)
  const after = await thumb()
  t.not(after.headers.etag, before.headers.etag)
  const { dominant } = await sharp(after.body).stats()
  t.ok(dominant.r > 200 && dominant.g < 60, 'the variant is of the new picture')
  t.equal((await ask(served, '/files/a.jpg', { method: 'DELETE', headers: asWriter })).status, 204)
  t.equal((await thumb()).status, 404)
})

t.test('the app hears what happened, and a picture that cannot be made ahead is a line in the log', async t => {
  const heard: unknown[] = []
  const onFileEvent = ({ type, path, mount, size, principal }: FileEvent): void => { heard.push({ type, path, mount, size, principal }) }
  const served = await serveWritable(t, { writing: { makeAhead: ['thumb'], images: { check: false } }, mount: { images: { presets: { thumb: 'w=64' } } }, rest: { onFileEvent } })
  t.equal((await put(served, '/files/x/a.txt', '123')).status, 201)
  t.equal((await put(served, '/files/x/a.txt', '1234')).status, 204)
  t.equal((await ask(served, '/files/x/a.txt', { method: 'DELETE', headers: asWriter })).status, 204)
  t.equal((await put(served, '/files/x/a.txt', '1', { 'if-match': '"x"' })).status, 412, 'what did not happen is not told')
  const told = { mount: '/files', path: '/files/x/a.txt', principal: 'keys:writer' }
  t.same(heard, [{ type: 'file.created', size: 3, ...told }, { type: 'file.replaced', size: 4, ...told }, { type: 'file.deleted', size: 4, ...told }])
  const broken = (await jpeg(1200, 900)).subarray(0, 600)
  t.equal((await put(served, '/files/broken.jpg', broken)).status, 201)
  t.equal(heard.length, 4)
  t.ok(await eventually(() => served.logs.some(({ msg }) => msg === 'A picture was not made ahead')))
})

const photographs = join('..', 'shared', 'images', 'jpeg')

t.test('real photographs come out as they went in', { skip: existsSync(photographs) ? false : 'the pictures are not there' }, async t => {
  const served = await serveWritable(t)
  const names = readdirSync(photographs).filter(name => /^[\w.-]+\.jpe?g$/.test(name)).slice(0, 6)
  t.ok(names.length > 0)
  for (const name of names) {
    const bytes = await readFile(join(photographs, name))
    t.equal((await put(served, `/files/${name}`, bytes)).status, 201, name)
    t.ok((await ask(served, `/files/${name}`)).body.equals(bytes), name)
  }
})
