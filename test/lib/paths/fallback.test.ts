import t from 'tap'
import { fallbackKey } from '../../../lib/paths/fallback.ts'
import { decodePath, pathBelow } from '../../../lib/paths/request-path.ts'

const fallback = { file: 'index.html', except: ['/api/', '/app/assets', '/health'] }

function answer (target: string, prefix = '', except: readonly string[] = fallback.except): string | undefined {
  const path = pathBelow(decodePath(target), prefix)
  return path === undefined ? 'outside' : fallbackKey({ ...fallback, except }, path, prefix)
}

t.test('a missing page is answered by the fallback', async t => {
  for (const target of ['/', '/users', '/users/', '/users/42', '/users/john.doe', '/apis', '/health-check', '/a/api/b', '/v1.2/page']) t.equal(answer(target), 'index.html', target)
})

t.test('dot names stay missing, at any depth', async t => {
  for (const target of ['/.hidden', '/.git/config', '/a/.env', '/.well-known/x']) t.equal(answer(target), undefined, target)
})

t.test('what lies below an excepted path stays missing, however it is spelt', async t => {
  for (const target of ['/api', '/api/', '/api/users', '/%61pi/users', '/health', '/health/', '/health/x']) t.equal(answer(target), undefined, target)
})

t.test('excepted paths are seen from the root of the host and from that of the mount', async t => {
  t.equal(answer('/app/api/users', '/app'), undefined)
  t.equal(answer('/app/assets/x', '/app'), undefined)
  t.equal(answer('/app/other', '/app'), 'index.html')
  t.equal(answer('/app', '/app'), 'index.html')
  t.equal(answer('/api/x', '/api'), undefined)
})

t.test('a path that ends like a file stays missing', async t => {
  for (const target of ['/main.js', '/a/b/style.CSS', '/favicon.ico', '/users/photo.png']) t.equal(answer(target), undefined, target)
  t.equal(answer('/main.js/'), 'index.html')
  t.equal(answer('/main.js/page'), 'index.html')
})

t.test('excepting the root excepts everything, and excepting nothing nothing', async t => {
  for (const target of ['/', '/users', '/a/b/']) {
    t.equal(answer(target, '', ['/']), undefined, target)
    t.equal(answer(target, '', []), 'index.html', target)
  }
})
