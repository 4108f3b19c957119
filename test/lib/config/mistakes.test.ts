import t from 'tap'
import { ConfigError, didYouMean, elsewhere, show, spellPath } from '../../../lib/config/mistakes.ts'

t.test('one message names every mistake, its path and where it was written', t => {
  const error = new ConfigError([{ path: 'server.port', message: 'Expected a number' }, { path: '', message: 'It is empty' }], 'media.config.yaml')
  t.equal(error.message, '2 mistakes in media.config.yaml:\n  server.port: Expected a number\n  It is empty')
  t.equal(new ConfigError([{ path: 'a', message: 'B' }]).message, '1 mistake in the configuration:\n  a: B')
  t.equal(error.name, 'ConfigError')
  t.equal(error.mistakes.length, 2)
  t.end()
})

t.test('a misspelt name is answered with the nearest one', t => {
  const names = ['prefix', 'source', 'maxFileBytes', 'port', 'host']
  t.equal(didYouMean('perfix', names), '. Did you mean prefix?')
  t.equal(didYouMean('Source', names), '. Did you mean source?')
  t.equal(didYouMean('prot', names), '. Did you mean port?', 'letters that changed places')
  t.equal(didYouMean('max_file_bytes', names), '. Did you mean maxFileBytes?', 'another way to write it')
  t.equal(didYouMean('thumbnails', names), '', 'nothing is near')
  t.equal(didYouMean('', names), '')
  t.equal(didYouMean('anything', []), '')
  t.end()
})

t.test('a path is spelt as one would write it', t => {
  t.equal(spellPath(['mounts', '0', 'cache', 'types', 'image/*']), 'mounts[0].cache.types["image/*"]')
  t.equal(spellPath([]), '')
  t.end()
})

t.test('a value is shown on one short line', t => {
  t.equal(show('a\nb'), '"a\\nb"')
  t.equal(show(Infinity), 'Infinity')
  t.equal(show(undefined), 'nothing')
  t.equal(show('x'.repeat(100)).length, 60)
  t.match(show('x'.repeat(100)), /\.\.\.$/)
  t.end()
})

t.test('a place where a mistake was found is not told of again', t => {
  t.strictSame(elsewhere([{ path: 'a', message: '1' }], [{ path: 'a', message: '2' }, { path: 'a.b', message: '3' }]), [{ path: 'a.b', message: '3' }])
  t.end()
})
