import t from 'tap'
import { Readings, type ReadingOptions } from '../../../lib/image/reading.ts'

const options: ReadingOptions = { grammars: ['query', 'ipx'], unknown: 'refuse', ignored: ['utm_*'] }
const at = (prefix = '', more: Partial<ReadingOptions> = {}): Readings => new Readings(prefix, { ...options, ...more })

t.test('a query with an operation names a variant of the file', t => {
  t.match(at().of('/photos/My%20cat.jpg?w=320'), { key: 'photos/My cat.jpg', path: '/photos/My cat.jpg', tag: '/photos/My%20cat.jpg', asked: { values: { w: 320 } } })
  t.match(at('/photos').of('/photos/cat.jpg?f=auto&w=1'), { key: 'cat.jpg', path: '/photos/cat.jpg' })
  t.match(at().of('http://host/cat.jpg?w=320'), { key: 'cat.jpg', path: '/cat.jpg' }, 'absolute form')
  t.match(at().of('/data.bin?w=1'), { key: 'data.bin' }, 'the name tells nothing')
  t.match(at().of('/cat.jpg?info'), { asked: { info: true } })
  t.match(at().of('/cat.jpg?preset=card'), { asked: { preset: 'card' } })
  t.end()
})

t.test('the same target is read once', t => {
  const readings = at()
  t.equal(readings.of('/cat.jpg?w=320'), readings.of('/cat.jpg?w=320'))
  const long = `/cat.jpg?w=320&utm_x=${'y'.repeat(600)}`
  t.not(readings.of(long), readings.of(long), 'but not the longest, whose number nobody bounds')
  t.end()
})

t.test('what asks for no variant is a file as it is', t => {
  for (const target of ['/cat.jpg', '/cat.jpg?', '/app.js?v=3', '/notes.txt?utm_source=x', '/cat.jpg?utm_source=x', '/cat.jpg?download=x.jpg', '/photos/?w=320', '/?w=1', '/cat.jpg#?w=1']) {
    t.equal(at().of(target), undefined, target)
    t.equal(at().of(target), undefined, `${target}, again`)
  }
  t.equal(at('/photos').of('/other/cat.jpg?w=1'), undefined)
  t.end()
})

t.test('a query on what is known to be no picture has no meaning here', t => {
  for (const target of ['/README.md?q=cats', '/page.html?page=2&w=1', '/data.json?text=hello', '/app.js?p=1', '/film.mp4?w=320']) t.equal(at().of(target), undefined, target)
  t.end()
})

t.test('what may be no file at all is a mistake only if it is one', t => {
  t.match(at().of('/search?q=cats'), { key: 'search', fault: { code: 'bad-transform', statusCode: 400 } })
  t.match(at().of('/search?q=60'), { key: 'search', asked: { values: { q: 60 } }, fault: undefined })
  t.equal(at().of('/search?sort=up'), undefined, 'no operation')
  t.throws(() => at().of('/a/../search?q=cats'), { code: 'bad-path' }, 'a path is one or is none')
  t.end()
})

t.test('IPX paths lead through the mount from the root of the app', t => {
  t.match(at('/photos').of('/_ipx/w_320/photos/cat.jpg'), { key: 'cat.jpg', path: '/photos/cat.jpg', asked: { values: { w: 320 } } })
  t.match(at('/host/photos', { root: '/host' }).of('/host/_ipx/w_320/photos/cat.jpg'), { key: 'cat.jpg', path: '/host/photos/cat.jpg' })
  t.equal(at('/photos').of('/_ipx/w_320/other/cat.jpg'), undefined)
  t.equal(at('/photos').of('/_ipx/w_320/photos-private/cat.jpg'), undefined)
  t.match(at().of('/_ipx/_/cat.jpg'), { key: 'cat.jpg', asked: { values: {} } }, 'no modifiers are a variant all the same')
  t.end()
})

t.test('IPX paths name the same original', t => {
  t.match(at().of('/_ipx/w_320/photos/cat.jpg'), { key: 'photos/cat.jpg', path: '/photos/cat.jpg', asked: { values: { w: 320 } } })
  t.match(at('/a').of('/a/_ipx/w_320/cat.jpg?v=1'), { key: 'cat.jpg', path: '/a/cat.jpg' })
  t.equal(at('', { grammars: ['query'] }).of('/_ipx/w_320/cat.jpg'), undefined)
  t.equal(at('', { grammars: ['ipx'] }).of('/cat.jpg?w=320'), undefined)
  t.equal(at('/a').of('/b/_ipx/w_320/cat.jpg'), undefined)
  t.end()
})

t.test('mistakes are told each time, of whatever grammar', t => {
  const readings = at()
  for (const [target, code] of [['/cat.jpg?wdith=1', 'bad-transform'], ['/cat.jpg?w=1&w=2', 'bad-transform'], ['/_ipx/w_x/cat.jpg', 'bad-transform'], ['/_ipx/w_1/../cat.jpg', 'bad-path'], ['/a/../cat.jpg?w=1', 'bad-path'], ['/_ipx/w_1/a%2fb.jpg', 'bad-path'], ['/%00.jpg?w=1', 'bad-path']] as const) {
    for (let tries = 0; tries < 2; tries++) t.throws(() => readings.of(target), { code }, target)
  }
  t.end()
})
