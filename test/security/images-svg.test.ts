// SVG is a program: librsvg CVE-2023-38633 (reads files), CairoSVG CVE-2023-27586 (fetches
// URLs), GHSA-q8wf-6r8g-63ch (CPU), imgproxy CVE-2023-1496 and Next CVE-2022-23646 (scripts).
// In the server's own process, one whose style sheet imports itself never returned, and one
// with a PNG inside took 2.3 GB.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import sharp from 'sharp'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { askAll, askTimed, besieged, outlived, servedPictures, watch, wrongAnswer } from '../helpers/siege.ts'
import { active, costly, reaching, selfImporting, svg } from '../helpers/svg-bombs.ts'

t.setTimeout(180_000) // long on a machine that others use too

const DEADLINE_MS = 1000
const GRACE_MS = 1500

function named (files: Record<string, Buffer>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${name}.svg`, bytes]))
}

t.test('what costs more than it looks is drawn within the bounds or refused', async t => {
  const files = named({ ...costly(), ...selfImporting('import-itself.svg') })
  const siege = await besieged(t, files, { work: { deadlineMs: DEADLINE_MS } })
  const { result, seen } = await watch(siege, async () => await askAll(siege, Object.keys(files).map(name => `/${name}?w=64&f=png`)))
  const slow: string[] = []
  for (const [path, answer] of result) {
    t.equal(wrongAnswer(answer, siege.root), undefined, `${path} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < DEADLINE_MS + GRACE_MS * seen.slowness, `${path} took ${Math.round(answer.ms)} ms`)
    if (answer.code === 'image-too-costly') slow.push(path)
  }
  await outlived(t, siege, seen)
  for (const path of slow) {
    const again = await askTimed(siege, path.replace('w=64', 'w=128'))
    t.match(again, { status: 422, code: 'image-too-costly' }, `${path} is remembered`)
    t.ok(again.ms < DEADLINE_MS, `and not tried again: ${Math.round(again.ms)} ms`)
  }
})

t.test('nothing beside it, of the system or of the network is read', async t => {
  const asked: string[] = []
  const outside = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end()
  })
  await new Promise<void>(resolve => outside.listen(0, '127.0.0.1', resolve))
  t.teardown(() => outside.close())
  const secret = await sharp({ create: { width: 100, height: 100, channels: 3, background: '#f00' } }).png().toBuffer()
  const directory = await scratch(t, { 'secret.png': secret })
  const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/secret.png`
  const files = named(reaching(join(directory, 'secret.png'), url))
  // Red is what only the secret draws; rectangles are drawn in black.
  const beside = named({ beside: svg('<image width="100" height="100" xlink:href="neighbour.png"/>'), 'beside-dot': svg('<image width="100" height="100" href="./neighbour.png"/>') })
  const server = await servedPictures(t, { ...files, ...beside, 'neighbour.png': secret })
  for (const name of Object.keys({ ...files, ...beside })) {
    const answer = await askTimed(server, `/${name}?w=100&f=png&bg=ffffff`)
    t.equal(wrongAnswer(answer, directory), undefined, `${name} is ${answer.status} ${answer.code}`)
    if (answer.status !== 200) continue
    const pixels = await sharp(answer.body).flatten({ background: '#fff' }).raw().toBuffer()
    let red = 0
    for (let at = 0; at < pixels.length; at += 3) if ((pixels[at] ?? 0) > 200 && (pixels[at + 1] ?? 0) < 60) red++
    t.equal(red, 0, `${name} shows nothing of the file`)
  }
  t.same(asked, [], 'nothing was fetched')
})

t.test('a file of the system does not become text of the picture', async t => {
  const empty = svg('<text y="50"></text>')
  const files = named({ empty, ...reaching('/etc/passwd', 'file:///etc/passwd') })
  const server = await servedPictures(t, files)
  const blank = (await sharp((await ask(server, '/empty.svg?w=100&f=png&bg=ffffff')).body).stats()).channels[0]?.mean
  t.equal(blank, 255)
  for (const name of Object.keys(files).filter(name => /^(?:include|entity)-/.test(name))) {
    const answer = await ask(server, `/${name}?w=100&f=png&bg=ffffff`)
    if (answer.status === 200) t.equal((await sharp(answer.body).stats()).channels[0]?.mean, 255, `${name} draws nothing`)
    else t.ok([415, 422].includes(answer.status), `${name} is ${answer.status}`)
  }
})

t.test('as it is, it comes in a sandbox and as the type it has; what it runs never gets that far', async t => {
  const files = named(active())
  const server = await servedPictures(t, files)
  for (const name of Object.keys(files)) {
    for (const path of [`/${name}`, `/${name}?download`, `/_ipx/_/${name}`]) {
      const plain = await ask(server, path)
      if (plain.headers['content-type'] !== 'image/svg+xml') {
        t.equal(plain.headers['content-type'], 'image/png', `${path} is made into a picture`)
        continue
      }
      t.match(plain.headers, { 'content-security-policy': /sandbox/, 'x-content-type-options': 'nosniff' }, path)
      t.notMatch(plain.headers['content-security-policy'], /allow-scripts|script-src/, path)
    }
    const drawn = await ask(server, `/${name}?w=50`)
    t.equal(drawn.headers['x-content-type-options'], 'nosniff')
    t.ok(drawn.status === 200 ? /^image\/(?:png|webp)$/.test(drawn.headers['content-type'] ?? '') : [415, 422].includes(drawn.status), `${name}?w=50 is ${drawn.status} ${drawn.headers['content-type']}`)
    t.notMatch(drawn.body.toString('latin1'), /alert\(|<script/i, 'nothing of it is in the variant')
  }
})

t.test('no variant is SVG, whatever the URL asks', async t => {
  const server = await servedPictures(t, { 'a.svg': svg('<script>alert(1)</script><rect width="9" height="9"/>') })
  for (const path of ['/a.svg?f=svg', '/a.svg?fm=svg&w=10', '/_ipx/f_svg/a.svg', '/_ipx/f_svg,w_10/a.svg', '/a.svg?f=svg%2Bxml']) {
    const answer = await ask(server, path)
    t.ok(answer.status === 400 || /^image\/(?!svg)/.test(answer.headers['content-type'] ?? ''), `${path} is ${answer.status} ${answer.headers['content-type']}`)
    t.notMatch(answer.text, /<svg/)
  }
})

t.test('an SVG under another name is known by its content, and one that only has the name is refused', async t => {
  const server = await servedPictures(t, { 'a.png': costly()['billion-laughs'] ?? '', 'b.svg': '<html><script>alert(1)</script></html>', 'c.svg': 'GIF89a', 'd.svg': '' })
  for (const path of ['/a.png?w=10', '/b.svg?w=10', '/c.svg?w=10', '/d.svg?w=10']) {
    const answer = await askTimed(server, path)
    t.equal(wrongAnswer(answer, server.root), undefined, `${path} is ${answer.status} ${answer.code}`)
    t.not(answer.status, 200, path)
  }
})

t.test('a mount that does not take SVG never hands one to the renderer', async t => {
  const server = await servedPictures(t, { 'a.svg': svg('<rect width="9" height="9"/>'), 'b.jpg': svg('<rect width="9" height="9"/>') }, { images: { inputs: ['jpeg', 'png'] } })
  for (const path of ['/a.svg?w=10', '/b.jpg?w=10', '/a.svg?info', '/_ipx/w_10/a.svg']) t.match(await askTimed(server, path), { status: 415, code: 'unsupported-image' }, path)
})

t.test('a picture that grows a script while the server runs does not keep its old answer, nor the variant the new text', async t => {
  const server = await servedPictures(t, { 'a.svg': svg('<rect width="100" height="100" fill="#0f0"/>') })
  const first = await ask(server, '/a.svg?w=50&f=png')
  await writeFile(join(server.root, 'a.svg'), svg('<script>alert(1)</script><rect width="100" height="100" fill="#00f"/>'))
  await new Promise(resolve => setTimeout(resolve, 1200))
  const second = await ask(server, '/a.svg?w=50&f=png')
  t.equal(second.status, 200)
  t.not(second.headers.etag, first.headers.etag)
  t.not((await sharp(second.body).stats()).channels[1]?.mean, 255)
})
