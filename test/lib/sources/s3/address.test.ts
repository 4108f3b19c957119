import t from 'tap'
import { addressOf, encodeName, encodeQuery, isName } from '../../../../lib/sources/s3/address.ts'

t.test('a bucket is named in the path, or as part of the host', async t => {
  const plain = { region: 'eu-west-9', bucket: 'pictures' }
  const inPath = addressOf({ ...plain, endpoint: 'https://s3.example.com:8443/', pathStyle: true })
  t.same([inPath.origin, inPath.pathOf(undefined), inPath.pathOf('a/b c')], ['https://s3.example.com:8443', '/pictures', '/pictures/a/b%20c'])
  const inHost = addressOf({ ...plain, endpoint: 'https://s3.example.com:8443/', pathStyle: false })
  t.same([inHost.origin, inHost.pathOf(undefined), inHost.pathOf('a')], ['https://pictures.s3.example.com:8443', '/', '/a'])
  t.equal(addressOf({ ...plain, pathStyle: true }).origin, 'https://s3.eu-west-9.amazonaws.com')
})

t.test('names are encoded as signatures have them, and each but once', async t => {
  t.equal(encodeName("a b/+%41!'()*~-_.é"), 'a%20b/%2B%2541%21%27%28%29%2A~-_.%C3%A9')
  t.equal(encodeQuery({ 'uploadId': 'a+/=', prefix: 'x y', 'Z': '' }), '?Z=&prefix=x%20y&uploadId=a%2B%2F%3D')
  t.equal(encodeQuery({}), '')
})

t.test('what a URL would read as another path is no name', async t => {
  for (const bad of ['', '.', '..', 'a/..', '../a', 'a/./b', 'a/../b', '\uDC00', 'x'.repeat(1025), '猫'.repeat(342)]) {
    t.equal(isName(bad), false, bad.slice(0, 10))
    t.throws(() => encodeName(bad), { code: 'bad-path' })
  }
  for (const good of ['...', '..a', 'a..', 'a/...', '.a', 'a//b', '/a', 'x'.repeat(1024), '猫'.repeat(341)]) t.equal(isName(good), true, good.slice(0, 10))
})
