import t from 'tap'
import { isRedirect, redirectedPath } from '../../../../lib/sources/http/same-origin.ts'

const bases = ['http://10.0.0.5:8080/assets', 'http://10.0.0.6:8080/assets/']
const followed = (location: string | string[], all = bases): string | undefined => redirectedPath({ location }, '/photos/cat.jpg', all)

t.test('five statuses redirect', t => {
  t.strictSame([300, 301, 302, 303, 304, 305, 306, 307, 308].filter(isRedirect), [301, 302, 303, 307, 308])
  t.end()
})

t.test('redirects are followed below the base path of an origin', t => {
  t.equal(followed('dog.jpg'), '/photos/dog.jpg')
  t.equal(followed('../dog.jpg?v=1#top'), '/dog.jpg?v=1')
  t.equal(followed('/assets/a%2Fb.jpg'), '/a%2Fb.jpg')
  t.equal(followed('/assets/photos/cat.jpg/'), '/photos/cat.jpg/')
  t.equal(followed('http://10.0.0.6:8080/assets/dog.jpg'), '/dog.jpg')
  t.equal(followed('//10.0.0.5:8080/assets/dog.jpg'), '/dog.jpg')
  t.equal(followed('/assets/..name/...'), '/..name/...')
  t.equal(followed('/dog.jpg', []), '/dog.jpg', 'where no origin is known')
  t.end()
})

t.test('and nowhere else', t => {
  const hostile = [
    '/dog.jpg', '/assets', '/assetsX/dog.jpg', '../../dog.jpg', '/assets/../dog.jpg', '/assets/%2e%2e/dog.jpg', '/assets/..%2fdog.jpg', '/assets/a/..%5cdog.jpg', '/assets/..;/dog.jpg',
    'https://10.0.0.5:8080/assets/dog.jpg', 'http://10.0.0.5/assets/dog.jpg', 'http://10.0.0.5:8081/assets/dog.jpg', 'http://10.0.0.7:8080/assets/dog.jpg',
    'http://10.0.0.5:8080@evil.example/assets/dog.jpg', 'http://user@10.0.0.5:8080/assets/dog.jpg', 'http://:word@10.0.0.5:8080/assets/dog.jpg', '//evil.example/assets/dog.jpg', '\\\\evil.example/assets/dog.jpg', '/\\evil.example', 'http:\\\\10.0.0.5:8080/assets/dog.jpg',
    'http://169.254.169.254/latest/meta-data/', 'file:///etc/passwd', 'javascript:alert(1)', 'data:text/html,x', 'http://[', 'http://10.0.0.5:99999/assets/', 'dog .jpg', 'dog\t.jpg'
  ]
  for (const location of hostile) t.equal(followed(location), undefined, location)
  t.equal(followed(['/assets/a', '/assets/b']), undefined, 'two that differ')
  t.equal(redirectedPath({}, '/a', bases), undefined)
  t.equal(followed('http://upstream.example/dog.jpg', []), undefined)
  t.end()
})
