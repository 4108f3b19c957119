import t from 'tap'
import { targetPath } from '../../../lib/upstream/target.ts'

const options = { prefix: '/cdn', replacement: '/' }

t.test('what could climb out of the base path is refused, in overlong forms too', async t => {
  for (const path of ['/cdn/../x', '/cdn/%c0%ae%c0%ae/x', '/cdn/a%c0%af..%c0%af../x', '/cdn/.%C0%AE', '/cdn/..%c0%afx', '/cdn/..;x/y', '/cdn/%e0%80%ae./x']) {
    t.throws(() => targetPath(path, options), { code: 'bad-path' }, path)
  }
})

t.test('names with dots, and bytes of other encodings, go on as they were sent', async t => {
  for (const path of ['/..name', '/...', '/a..', '/caf%e9', '/%c0%c1', '/a%c0%ae.jpg', '/x?a=../b', '/x?%c0%ae%c0%ae/']) t.equal(targetPath(`/cdn${path}`, options), path)
})

t.test('a prefix may be percent-encoded, though not badly', async t => {
  t.equal(targetPath('/%63dn/a%2fb', options), '/a%2fb')
  for (const path of ['/%zzdn/a', '/%c3/a', '/cdnx/a']) t.throws(() => targetPath(path, options), { code: 'not-found' }, path)
})
