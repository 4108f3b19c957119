import t from 'tap'
import { ask, oneMount, scratch, serveMedia } from '../helpers/app.ts'

t.test('a file comes out of a mount with its type, size and validators', async t => {
  const root = await scratch(t, { 'a/cat.txt': 'meow' })
  const served = await serveMedia(t, oneMount(root, { prefix: '/files' }))
  const answer = await ask(served, '/files/a/cat.txt')
  t.equal(answer.status, 200)
  t.equal(answer.text, 'meow')
  t.match(answer.headers, { 'content-type': 'text/plain; charset=utf-8', 'content-length': '4', etag: /^"[^"]+"$/, 'accept-ranges': 'bytes' })
})
