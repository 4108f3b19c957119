// Bytes without bound: Next CVE-2025-59471 and CVE-2026-44577 (an original of any size is read
// into memory). Files that are larger than they were, that never end, or grow while they are
// read.
import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { appendFile, open, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { png } from '../helpers/bombs.ts'
import { eventually } from '../helpers/process.ts'
import { askAll, askTimed, besieged, outlived, servedPictures, watch, wrongAnswer } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const GIGABYTES = 20_000_000_000

t.test('an original of more bytes than may be read is refused before it is, plain or SVG', async t => {
  const siege = await besieged(t, { 'a.png': png({ width: 16, height: 16 }), 'b.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><!--', 'c.jpg': Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0xff, 0xff]) }, { images: { limits: { inputBytes: 1_000_000 } } })
  // Holes: they take no room on this disk.
  for (const name of ['a.png', 'b.svg', 'c.jpg']) await truncate(join(siege.root, name), GIGABYTES)
  const { result, seen } = await watch(siege, async () => await askAll(siege, ['a.png', 'b.svg', 'c.jpg'].flatMap(name => [`/${name}?w=16`, `/${name}?info`, `/_ipx/w_16/${name}`])))
  for (const [path, answer] of result) {
    t.match(answer, { status: 422, code: 'image-too-large' }, path)
    t.ok(answer.ms < 1000 * seen.slowness, `${path} took ${Math.round(answer.ms)} ms`)
  }
  await outlived(t, siege, seen)
})

t.test('a picture of many bytes within the bound takes no more memory than any', async t => {
  const siege = await besieged(t, { 'a.png': png({ width: 16, height: 16 }), 'b.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 'c.gif': 'GIF89a' })
  for (const [name, fill] of [['a.png', 0], ['b.svg', 0x20], ['c.gif', 0]] as const) {
    const file = await open(join(siege.root, name), 'a')
    for (let n = 0; n < 95; n++) await file.write(Buffer.alloc(1_000_000, fill))
    await file.close()
  }
  const { result, seen } = await watch(siege, async () => await askAll(siege, ['/a.png?w=16', '/b.svg?w=16', '/c.gif?w=16']))
  for (const [path, answer] of result) t.equal(wrongAnswer(answer, siege.root), undefined, `${path} is ${answer.status} ${answer.code}`)
  await outlived(t, siege, seen)
})

t.test('a file that grows while it is read is bounded by what it was', async t => {
  const server = await servedPictures(t, { 'a.png': png({ width: 2000, height: 2000 }) }, { images: { limits: { inputBytes: 200_000 } } })
  const stream = createWriteStream(join(server.root, 'a.png'), { flags: 'a' })
  const growing = setInterval(() => stream.write(Buffer.alloc(10_000)), 2)
  t.teardown(() => { clearInterval(growing); stream.destroy() })
  for (let n = 0; n < 20; n++) {
    const answer = await askTimed(server, `/a.png?w=${16 + n * 8}`)
    t.ok([200, 422, 503].includes(answer.status), `${answer.status} ${answer.code}`)
  }
  clearInterval(growing)
  await finished(stream.end())
  await appendFile(join(server.root, 'a.png'), Buffer.alloc(400_000))
  t.ok(await eventually(async () => (await askTimed(server, '/a.png?w=1000')).code === 'image-too-large'))
})

t.test('what is no file is no picture: a pipe does not hold a worker, a device is not read', async t => {
  const server = await servedPictures(t, { 'a.png': png({ width: 16, height: 16 }) })
  execFileSync('mkfifo', [join(server.root, 'pipe.png')])
  for (const path of ['/pipe.png?w=16', '/pipe.png?info', '/_ipx/w_16/pipe.png']) {
    const answer = await askTimed(server, path)
    t.ok([403, 404].includes(answer.status), `${path} is ${answer.status}`)
  }
  t.equal((await askTimed(server, '/a.png?w=16')).status, 200)
})
