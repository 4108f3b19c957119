import sharp from 'sharp'
import t from 'tap'
import { ssim } from '../../../../lib/image/pipeline/ssim.ts'
import { drawn } from '../../../helpers/pictures.ts'
import { cpuMs } from '../../../helpers/process.ts'

t.test('a picture is like itself', async t => {
  const luma = await drawn(100, 70).toColourspace('b-w').raw().toBuffer()
  t.equal(luma.length, 7000)
  t.ok(Math.abs(ssim(luma, luma, { width: 100, height: 70 }) - 1) < 1e-9)
})

t.test('the more a picture is compressed, the less it is like the original', async t => {
  const size = { width: 200, height: 150 }
  const original = await drawn(200, 150).toColourspace('b-w').raw().toBuffer()
  const likeness: number[] = []
  for (const quality of [95, 70, 40, 10, 1]) {
    const { data } = await sharp(await drawn(200, 150).jpeg({ quality }).toBuffer()).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
    likeness.push(ssim(original, data, size))
  }
  t.same(likeness, likeness.toSorted((one, other) => other - one), likeness.map(value => value.toFixed(3)).join(' '))
  t.ok((likeness[0] ?? 0) > 0.9 && (likeness.at(-1) ?? 1) < 0.7)
})

t.test('structure counts, not brightness alone', t => {
  const size = { width: 64, height: 64 }
  const flat = new Uint8Array(4096).fill(128)
  const brighter = new Uint8Array(4096).fill(132)
  const noisy = flat.map((value, n) => value + (n % 2 === 0 ? 40 : -40))
  t.ok(ssim(flat, brighter, size) > 0.99)
  t.ok(ssim(flat, noisy, size) < 0.1)
  t.ok(ssim(noisy, noisy.map(value => 255 - value), size) < 0, 'the opposite is less than nothing')
  t.end()
})

t.test('the last row and column count, and pictures smaller than a window', t => {
  const one = new Uint8Array(13 * 11).fill(100)
  const other = Uint8Array.from(one)
  other[one.length - 1] = 255
  t.ok(ssim(one, other, { width: 13, height: 11 }) < 1)
  t.equal(ssim(Uint8Array.of(7), Uint8Array.of(7), { width: 1, height: 1 }), 1)
  t.ok(ssim(Uint8Array.of(0), Uint8Array.of(255), { width: 1, height: 1 }) < 0.01)
  t.end()
})

t.test('channels are compared each by itself', t => {
  const size = { width: 8, height: 8, channels: 3 }
  const one = Uint8Array.from({ length: 192 }, (_, n) => n % 3 === 0 ? n : 50)
  const other = one.map((value, n) => n % 3 === 2 ? 200 : value)
  const likeness = ssim(one, other, size)
  t.ok(likeness > 0.66 && likeness < 0.9, String(likeness))
  t.end()
})

t.test('buffers of another size are a mistake of the caller', t => {
  t.throws(() => ssim(new Uint8Array(4), new Uint8Array(5), { width: 2, height: 2 }), /Expected two pictures of 2 × 2 × 1/)
  t.throws(() => ssim(new Uint8Array(0), new Uint8Array(0), { width: 0, height: 2 }), RangeError)
  t.end()
})

t.test('a picture of 256 × 256 takes a few milliseconds', t => {
  const picture = Uint8Array.from({ length: 65_536 }, (_, n) => n * n % 251)
  ssim(picture, picture, { width: 256, height: 256 })
  const took = cpuMs(() => {
    for (let n = 0; n < 10; n++) ssim(picture, picture, { width: 256, height: 256 })
  })
  t.ok(took / 10 < 40, `${(took / 10).toFixed(1)} ms`)
  t.end()
})
