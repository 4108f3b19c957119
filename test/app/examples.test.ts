import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import t from 'tap'
import { packageRoot } from '../../lib/package-root.ts'
import { ask, oneMount, scratch, serveMedia } from '../helpers/app.ts'

const media = join(packageRoot, 'examples', 'media')

async function filesBelow (directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1)).toSorted()
}

/** What a file says. What zlib packs is compared unpacked, because its bytes differ between versions. */
function content (name: string, bytes: Buffer): Buffer {
  if (name.endsWith('.br')) return brotliDecompressSync(bytes)
  if (name.endsWith('.gz')) return gunzipSync(bytes)
  return name.endsWith('.png') ? unpackedPng(bytes) : bytes
}

function unpackedPng (bytes: Buffer): Buffer {
  const parts = [bytes.subarray(0, 8)]
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const body = bytes.subarray(at + 8, at + 8 + length)
    parts.push(Buffer.from(type), type === 'IDAT' ? inflateSync(body) : body)
    at += length + 12
  }
  return Buffer.concat(parts)
}

t.test('the bundled files are what their script makes', async t => {
  const made = await scratch(t)
  await promisify(execFile)(process.execPath, [join(packageRoot, 'examples', 'render.mjs'), made])
  const names = await filesBelow(media)
  t.same(names, await filesBelow(made))
  for (const name of names) {
    const [bundled, rendered] = await Promise.all([readFile(join(media, name)), readFile(join(made, name))])
    t.ok(content(name, bundled).equals(content(name, rendered)), name)
  }
})

t.test('the bundled files are few and small', async t => {
  const sizes = await Promise.all((await filesBelow(media)).map(async name => (await readFile(join(media, name))).length))
  t.ok(sizes.reduce((sum, size) => sum + size, 0) <= 400 * 1024)
})

t.test('every bundled file comes out of a mount with its type, and the directories as lists or index', async t => {
  const served = await serveMedia(t, oneMount(media, { listing: true }))
  const types: Record<string, string> = { 'dusk.png': 'image/png', 'orbit.gif': 'image/gif', 'waves.svg': 'image/svg+xml', 'welcome.txt': 'text/plain; charset=utf-8', 'sounds/chime.wav': 'audio/wav', 'tables/planets.csv': 'text/csv; charset=utf-8', 'patterns/old maps/compass & rose (100 %).svg': 'image/svg+xml' }
  for (const [name, type] of Object.entries(types)) {
    const answer = await ask(served, `/${name.split('/').map(encodeURIComponent).join('/')}`)
    t.match({ status: answer.status, type: answer.headers['content-type'] }, { status: 200, type }, name)
    t.ok(answer.body.equals(await readFile(join(media, name))))
  }
  t.match((await ask(served, '/')).text, 'dusk.png')
  t.match((await ask(served, '/site/')).text, 'A small site')
  const style = await ask(served, '/site/style.css', { headers: { 'accept-encoding': 'br' } })
  t.equal(style.headers['content-encoding'], 'br')
  t.equal(brotliDecompressSync(style.body).toString(), await readFile(join(media, 'site', 'style.css'), 'utf8'))
})
