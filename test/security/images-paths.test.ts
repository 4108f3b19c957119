// The path of an original stands within another grammar here, which splits and decodes by
// itself: IPX CVE-2025-54387 (a root's prefix without its separator), thumbor 3b986d13 (checked
// before it was decoded), @fastify/static CVE-2026-6414 (an encoded slash goes around a guard).
// What a plain URL does not reach, a picture's URL does not either.
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { oneMount, raw, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'

t.setTimeout(180_000) // long on a machine that others use too

const red = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#f00' } }).png().toBuffer()

/** Below `root` a picture that anyone may see; around it and hidden in it others that nobody may. */
async function withSecrets (t: Test, prefix: string): Promise<Served & { parent: string }> {
  const secrets = ['secret.png', 'root-secret/a.png', 'root/.hidden.png', 'root/.git/a.png', 'root/a/.b.png']
  const parent = await scratch(t, { 'root/a.png': red, 'root/a/b.png': red, ...Object.fromEntries(secrets.map(name => [name, red])) })
  const root = join(parent, 'root')
  await symlink(join(parent, 'secret.png'), join(root, 'link.png'))
  await symlink(parent, join(root, 'up'))
  await mkdir(join(root, 'directory.png'))
  const served = await serveMedia(t, oneMount(root, { prefix, images: { overlays: { logo: { source: 'files', file: 'a.png' } } } }, {}, { images: { workers: 1, cache: { directory: join(parent, 'variants') } } }))
  return { ...served, parent }
}

async function answer (served: Served, target: string): Promise<{ status: number, text: string }> {
  const text = await raw(served, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text }
}

const hidden = [
  '../secret.png', '%2e%2e/secret.png', '%2E%2E/secret.png', '.%2e/secret.png', '..%2fsecret.png', '%2e%2e%2fsecret.png', '..%5csecret.png', '..\\secret.png', '%252e%252e/secret.png', '..%252fsecret.png',
  'a/../../secret.png', 'a/%2e%2e/%2e%2e/secret.png', './../secret.png', '/../secret.png', '//secret.png', '..;/secret.png', '....//secret.png', '%c0%ae%c0%ae/secret.png', '%uff0e%uff0e/secret.png', '..%00/secret.png',
  '../root-secret/a.png', '-secret/a.png', '%2e%2e/root-secret/a.png', '..%2froot-secret%2fa.png',
  '.hidden.png', '%2ehidden.png', '.git/a.png', '.git%2fa.png', '%2egit/a.png', 'a/.b.png', './.hidden.png', 'a/../.hidden.png',
  'link.png', 'up/secret.png', 'up/root-secret/a.png', 'up/root-secret', 'up', 'directory.png', 'directory.png/', '', '.', '..',
  'a.png/', 'a.png/../../secret.png', 'a.png%00.txt', 'a.png%2f..%2f..%2fsecret.png', 'a.png;/../secret.png', 'a.png::$DATA', 'a%2fb.png', 'a\\b.png', 'a%5cb.png',
  'file:///etc/passwd', 'file:/etc/passwd', '/etc/passwd', '%2fetc%2fpasswd', 'http://127.0.0.1/secret.png', 'http:%2f%2f127.0.0.1%2fsecret.png', 'fd:3', 'pipe:0', '/proc/self/environ', '/dev/zero', 'data:image/png;base64,AAAA'
]

for (const prefix of ['/', '/pictures']) {
  t.test(`no grammar reaches what a plain URL does not, at ${prefix}`, async t => {
    const served = await withSecrets(t, prefix)
    const base = prefix === '/' ? '' : prefix
    for (const good of [`${base}/a.png?w=20`, `${base}/_ipx/w_20/a.png`, `${base}/_ipx/_/a/b.png`, `${base}/a/b.png?info`]) t.equal((await answer(served, good)).status, 200, good)
    for (const path of hidden) {
      for (const target of [`${base}/${path}?w=20`, `${base}/${path}?info`, `${base}/_ipx/w_20/${path}`, `${base}/_ipx/_/${path}`, `${base}/_ipx/w_20,f_webp/${path}?w=30`]) {
        const { status, text } = await answer(served, target)
        // Where the path names a directory, or nothing after the modifiers, it may be told so.
        t.ok([400, 403, 404, 301, 308].includes(status), `${target} is ${status}`)
        t.notMatch(text, /content-type: image\//i, target)
        t.notOk(text.includes(served.parent), `${target}: no path of the machine`)
      }
    }
  })
}

t.test('what is hidden is answered like what is not there, as a plain file is', async t => {
  const served = await withSecrets(t, '/')
  for (const path of ['.hidden.png', '.git/a.png', 'link.png', 'up/secret.png', 'none.png']) {
    const plain = await answer(served, `/${path}`)
    for (const target of [`/${path}?w=20`, `/${path}?info`, `/_ipx/w_20/${path}`]) {
      const { status, text } = await answer(served, target)
      t.equal(status, plain.status, `${target} as /${path}`)
      t.equal(/"code":"([^"]+)"/.exec(text)?.[1], /"code":"([^"]+)"/.exec(plain.text)?.[1], target)
    }
  }
})

t.test('a path within the modifiers goes nowhere', async t => {
  const served = await withSecrets(t, '/')
  const targets = [
    '/_ipx/w_10/../secret.png', '/_ipx/../secret.png', '/_ipx/%2e%2e/secret.png', '/_ipx/_/..%2fx', '/_ipx/w_10%2f..%2f..%2fsecret.png', '/_ipx/w_10,..%2fsecret/a.png', '/_ipx/_%2fa.png', '/_ipx/w_10%00/a.png', '/_ipx/./../../secret.png',
    '/_ipx//secret.png', '/_ipx//../secret.png', '/_ipx', '/_ipx/', '/_ipx/_', '/_ipx/_/', '/%5fipx/w_10/a.png', '/_ipx%2fw_10%2fa.png', '/a/_ipx/w_10/../../../secret.png', '/x/../_ipx/w_10/a.png',
    '/_ipx/mark_..%2fsecret.png/a.png', '/_ipx/mark_.%2e/a.png', '/a.png?mark=../secret.png', '/a.png?mark=/etc/passwd', '/a.png?w=20&mark=.hidden.png', '/a.png?preset=../../x', '/a.png?preset=__proto__', '/a.png?w=20&mark=constructor', '/_ipx/preset_toString/a.png'
  ]
  for (const target of targets) {
    const { status, text } = await answer(served, target)
    t.ok([400, 404].includes(status), `${target} is ${status}`)
    t.notMatch(text, /content-type: image\//i, target)
  }
  t.equal((await answer(served, '/a.png?w=20&mark=logo')).status, 200, 'an overlay that is configured')
})

t.test('a picture of the neighbour whose prefix begins alike is none of this mount', async t => {
  const parent = await scratch(t, { 'pictures/a.png': red, 'pictures-secret/b.png': red })
  const served = await serveMedia(t, oneMount(join(parent, 'pictures'), { prefix: '/pictures' }, {}, { images: { workers: 1, cache: { directory: join(parent, 'variants') } } }))
  for (const target of ['/pictures-secret/b.png?w=20', '/pictures/../pictures-secret/b.png?w=20', '/pictures/_ipx/w_20/../pictures-secret/b.png', '/pictures/_ipx/w_20/%2e%2e/pictures-secret/b.png', '/pictures_ipx/w_20/a.png', '/pictures-secret/_ipx/w_20/b.png']) {
    const { status, text } = await answer(served, target)
    t.ok([400, 404].includes(status), `${target} is ${status}`)
    t.notMatch(text, /content-type: image\//i, target)
  }
})
