// A client that spells a path so that the guard and the file system read it differently gets
// a byte from outside the root: @fastify/static CVE-2026-6414, Caddy CVE-2026-52844, IPX
// CVE-2025-54387, webp_server_go CVE-2026-53779 and their like. Sent over a raw socket:
// nothing between the test and the server tidies the path.
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { oneMount, raw, scratch, serveMedia, type Served } from '../helpers/app.ts'

const SECRET = 'outside-the-root'

const climbs = [
  '..', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '..%2f', '%2e%2e%2f', '..%5c', '..\\', '%5c..', '..%00', '%252e%252e', '%252e%252e%252f',
  '%c0%ae%c0%ae', '%c0%af', '%e0%80%ae%e0%80%ae', '%uff0e%uff0e', '..;', '..%3b', '.%00.', '....//', '....\\\\', '%2e%2e%5c', '..%c1%9c', '..%ef%bc%8f', '%ef%bc%8e%ef%bc%8e', '..%0d%0a', '..%09', '..%20'
]

const paths = [
  ...climbs.flatMap(climb => [`/${climb}/secret.txt`, `/a/${climb}/${climb}/secret.txt`, `/${climb}secret.txt`, `//${climb}/secret.txt`, `/./${climb}/secret.txt`]),
  '//etc/passwd', '///etc/passwd', '/etc/passwd', '//../etc/passwd', '/C:/Windows/win.ini', '/c:secret.txt', '/file:///etc/passwd', '/%2fetc%2fpasswd', '/%2Fetc/passwd',
  '/\\\\host\\share', '//host/share', '/a/../../secret.txt', '/a//../../secret.txt', '/~/secret.txt', '/~root/.profile', '/a%2f..%2f..%2fsecret.txt',
  '/link-out.txt', '/link-dir/secret.txt', '/link-dir/', '/link-dir', '/a/link-up/secret.txt', '/root-secret/secret.txt', '/../root-secret/secret.txt',
  '/.env', '/.git/config', '/.git/', '/a/.hidden', '/%2eenv', '/%2e%67it/config', '/.git%2fconfig', '/./.env', '/a/../.env', '/.env/', '/.env%00.jpg', '/a.txt%00.jpg', '/proc/self/environ',
  '/deep%2Fpath/secret.txt', '/.%2e/%2e./secret.txt', '/%2e/secret.txt', '/a.txt/../../secret.txt', '/a.txt/', '/nul', '/con', '/a.txt::$DATA', '/a.txt.', '/a.txt%20'
]

async function answer (served: Served, target: string): Promise<{ status: number, text: string }> {
  const text = await raw(served, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text }
}

for (const [prefix, extra] of [['', {}], ['/files', {}], ['/spa', { fallback: { file: 'a.txt' } }]] as const) {
  t.test(`no spelling leads out of a mount at ${prefix === '' ? 'the root' : prefix}`, async t => {
    const parent = await scratch(t, { 'secret.txt': SECRET, 'root-secret/secret.txt': SECRET, 'root/a.txt': 'public', 'root/.env': SECRET, 'root/.git/config': SECRET, 'root/a/.hidden': SECRET })
    const root = join(parent, 'root')
    await symlink(join(parent, 'secret.txt'), join(root, 'link-out.txt'))
    await symlink(parent, join(root, 'link-dir'))
    await symlink('../..', join(root, 'a', 'link-up'))
    const served = await serveMedia(t, oneMount(root, { prefix: prefix === '' ? '/' : prefix, listing: true, ...extra }))
    t.match(await answer(served, `${prefix}/a.txt`), { status: 200, text: /public/ })
    for (const path of paths) {
      const { status, text } = await answer(served, prefix + path)
      const isFallback = 'fallback' in extra && status === 200 && text.endsWith('public') && !/\/\.|%2e/i.test(path)
      t.ok([400, 403, 404].includes(status) || isFallback, `${prefix}${path} is ${status}`)
      t.notMatch(text, /outside-the-root|root:x:0|\[fonts\]/, path)
      t.notOk(text.includes(parent), `${path}: no path of the machine`)
    }
  })
}

t.test('a mount\'s neighbour below the same prefix letters is not part of it', async t => {
  const parent = await scratch(t, { 'data/a.txt': 'a', 'data-secret/a.txt': SECRET })
  const served = await serveMedia(t, oneMount(join(parent, 'data'), { prefix: '/data' }))
  for (const path of ['/data-secret/a.txt', '/data/../data-secret/a.txt', '/data%2d secret/a.txt', '/data%2e%2e/a.txt']) {
    t.notMatch((await answer(served, path)).text, SECRET, path)
  }
})

t.test('names at and beyond the limits of the file system are missing, not errors', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  await mkdir(join(root, 'd'))
  await writeFile(join(root, 'd', 'x'.repeat(255)), 'longest')
  const served = await serveMedia(t, oneMount(root))
  t.equal((await answer(served, `/d/${'x'.repeat(255)}`)).status, 200)
  for (const path of [`/${'x'.repeat(256)}`, `/${'d/'.repeat(2000)}a.txt`, `/${'%F0%9F%98%80'.repeat(100)}`, `/${'x/'.repeat(1500)}`]) {
    t.ok([400, 404].includes((await answer(served, path)).status), `${path.length} characters`)
  }
  t.ok([400, 404, 414, 431].includes((await answer(served, `/${'x'.repeat(14_000)}`)).status))
})
