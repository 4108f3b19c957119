import t from 'tap'
import { naturalFormat, negotiateFormat, type Nature } from '../../../lib/image/negotiate.ts'

const photo: Nature = { format: 'jpeg', alpha: false, animated: false }
const logo: Nature = { format: 'png', alpha: true, animated: false }
const film: Nature = { format: 'gif', alpha: true, animated: true }
const chosen = (accept: string | undefined, nature = photo): string => negotiateFormat(accept, nature, ['avif', 'webp'])

t.test('browsers get the best that they name', t => {
  t.equal(chosen('image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'), 'avif') // Chromium
  t.equal(chosen('image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5'), 'webp') // Firefox before AVIF
  t.equal(chosen('image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5'), 'jpeg')
  t.end()
})

t.test('a range is no sign that a client knows a new format', t => {
  for (const accept of [undefined, '', '*/*', 'image/*', 'image/*,*/*;q=0.8', 'text/html']) t.equal(chosen(accept), 'jpeg', String(accept))
  t.end()
})

t.test('weights are heeded', t => {
  t.equal(chosen('image/avif;q=0.5, image/webp;q=0.9, image/jpeg;q=0.1'), 'webp')
  t.equal(chosen('image/avif;q=0, image/webp'), 'webp')
  t.equal(chosen('image/avif;q=0.5, image/jpeg'), 'jpeg')
  t.equal(chosen('image/avif;q=0.5, */*;q=0.8'), 'jpeg')
  t.equal(chosen('image/avif;q=0.8, image/webp;q=0.8'), 'avif')
  t.equal(chosen('IMAGE/AVIF ; q=1.0'), 'avif')
  t.end()
})

t.test('who wants no JPEG gets PNG', t => {
  t.equal(chosen('image/png'), 'png')
  t.equal(chosen('image/jpeg;q=0, image/*'), 'png')
  t.end()
})

t.test('transparency and motion are kept', t => {
  t.equal(chosen('image/jpeg', logo), 'png')
  t.equal(chosen('image/avif', logo), 'avif')
  t.equal(chosen('image/avif,image/*', film), 'gif')
  t.equal(chosen('image/avif,image/webp,*/*', film), 'webp')
  t.end()
})

t.test('without a wish a picture keeps its format, if browsers show it', t => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) t.equal(naturalFormat({ format, alpha: true, animated: false }), format)
  t.equal(naturalFormat({ format: 'svg', alpha: true, animated: false }), 'png')
  t.equal(naturalFormat({ format: 'heic', alpha: false, animated: false }), 'jpeg')
  t.equal(naturalFormat({ format: 'tiff', alpha: false, animated: false }), 'jpeg')
  t.end()
})
