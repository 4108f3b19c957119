import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { accepts, eventually } from './process.ts'
import { noRadosgw, ownRadosgw, radosgw, signedFetch } from './radosgw.ts'

t.test('each bucket of a test file is empty', { skip: noRadosgw }, async t => {
  const [one, other] = [await radosgw(t), await radosgw(t)]
  t.equal(one.endpoint, other.endpoint)
  t.equal((await signedFetch(one)('/a.txt', { method: 'PUT', body: 'a' })).status, 200)
  t.equal(await (await signedFetch(one)('/a.txt')).text(), 'a')
  t.equal((await signedFetch(other)('/a.txt')).status, 404)
  t.equal((await fetch(`${one.endpoint}/${one.bucket}/a.txt`)).status, 403, 'who does not sign sees nothing')
})

t.test('conditional writes are conditional', { skip: noRadosgw }, async t => {
  const ask = signedFetch(await radosgw(t))
  t.equal((await ask('/a.txt', { method: 'PUT', body: 'a', headers: { 'if-none-match': '*' } })).status, 200)
  t.equal((await ask('/a.txt', { method: 'PUT', body: 'b', headers: { 'if-none-match': '*' } })).status, 412)
})

t.test('what was stored outlives the front end', { skip: noRadosgw }, async t => {
  const own = await ownRadosgw(t)
  const ask = signedFetch(own)
  t.equal((await ask('/a.txt', { method: 'PUT', body: 'a' })).status, 200)
  await own.kill()
  await t.rejects(ask('/a.txt'))
  await own.restart()
  t.equal(await (await ask('/a.txt')).text(), 'a')
  t.equal((await ask('/b.txt', { method: 'PUT', body: 'b' })).status, 200)
})

t.test('nothing goes on when the test file is killed', { skip: noRadosgw }, async t => {
  const program = 'const { radosgw } = await import("./test/helpers/radosgw.ts"); console.log((await radosgw()).endpoint); setInterval(() => {}, 1000)'
  const child = spawn(process.execPath, ['--import=./test/loader/ts.mjs', '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data') as [Buffer]
  const port = Number(new URL(line.toString().trim()).port)
  t.ok(await accepts(port))
  child.kill('SIGKILL')
  t.ok(await eventually(async () => !await accepts(port)))
})
