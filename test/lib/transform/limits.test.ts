import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { parseQuery } from '../../../lib/transform/grammars/query.ts'
import { admit, defaultQualities, defaultWidths, type TransformPolicy } from '../../../lib/transform/limits.ts'
import { operationNames, operations, type Operation } from '../../../lib/transform/operations.ts'
import { readPreset } from '../../../lib/transform/presets.ts'
import { transformText, type Transform } from '../../../lib/transform/transform.ts'
import { randomValue, randomValues, seeded } from '../../helpers/random-transforms.ts'

const base: TransformPolicy = {
  mode: 'snapped',
  widths: defaultWidths,
  qualities: defaultQualities,
  presets: { card: readPreset('w=333&h=222&fit=cover&f=auto&q=77'), signed: readPreset('txt=Mine&mark=logo'), lost: readPreset('mark=gone') },
  overlays: new Set(['logo']),
  maxOperations: 16,
  maxDimension: 8192,
  maxOutputPixels: 25_000_000
}
const of = (search: string, policy: Partial<TransformPolicy> = {}): Transform => admit(parseQuery(search, { unknown: 'refuse', ignored: [] }), { ...base, ...policy })
const open = { mode: 'open' } as const

t.test('sizes that people ask for stay what they are', async t => {
  for (const [w, h] of [[320, 200], [640, 360], [1200, 630], [1920, 1080], [1280, 720], [800, 600], [1024, 768], [150, 150], [300, 250], [1080, 1350], [1080, 1080], [400, 225], [600, 400], [3840, 2160], [1600, 900], [960, 540], [16, 16]]) {
    t.strictSame(of(`w=${w}&h=${h}&fit=cover`), { w, h, fit: 'cover' }, `${w} × ${h}`)
  }
})

t.test('other sizes round up in proportion', async t => {
  const sizes: Array<[string, Transform]> = [
    ['w=321', { w: 360 }], ['h=321', { h: 360 }], ['w=1', { w: 16 }], ['w=99999'.slice(0, 6), { w: 3840 }], ['h=8000', { h: 3840 }],
    ['w=333&h=222', { w: 360, h: 240 }], ['w=700&h=394', { w: 720, h: 405 }], ['w=4000&h=2250', { w: 3840, h: 2160 }], ['w=1000&h=10000', { w: 384, h: 3840 }], ['w=1&h=5000', { w: 16, h: 3840 }],
    ['w=160&dpr=2', { w: 320 }], ['w=160&h=100&dpr=2', { w: 320, h: 200 }], ['w=100&dpr=1.4', { w: 144 }], ['w=101&dpr=1.4', { w: 144 }],
    ['w=330&ar=16:9', { w: 360, h: 202, fit: 'cover', enlarge: false }], ['w=1000&ar=1.78', { w: 1000, h: 562, fit: 'cover', enlarge: false }]
  ]
  for (const [search, transform] of sizes) t.strictSame(of(search), transform, search)
  t.strictSame(of('w=3840&h=2160', { maxDimension: 2000 }), { w: 2000, h: 1152 }, 'what may not be made is not rounded up to')
  t.strictSame(of('w=5', { widths: [500, 100] }), { w: 100 })
  t.strictSame(of('w=5', { widths: [9000] }), { w: 8192 }, 'a list without an allowed side leaves the largest')
})

t.test('qualities and other numbers go to their grids, words and colours stay', async t => {
  t.strictSame(of('q=71&blur=6&bri=14&bg=123456&f=webp&q=71'.slice(0, -5)), { blur: 5, bri: 10, bg: '123456', f: 'webp', q: 75 })
  t.strictSame(of('q=100'), { q: 100 })
  t.strictSame(of('q=auto'), { q: 'auto' })
  t.strictSame(of('q=90', { qualities: [50, 80] }), { q: 80 })
  t.strictSame(of('q=71&w=321', open), { w: 321, q: 71 }, 'not where the mode is open')
})

t.test('a flood that counts sizes meets a bounded number of them', async t => {
  const random = seeded(30)
  const pairs = new Set<string>()
  for (let i = 0; i < 40_000; i++) {
    const side = (): number => 1 + Math.floor(random() ** 3 * 16_383)
    const values = { ...random() < 0.9 ? { w: side() } : {}, ...random() < 0.8 ? { h: side() } : {}, ...random() < 0.3 ? { dpr: 0.5 + random() * 4.5 } : {} }
    const { w, h } = admit({ values, info: false }, base)
    for (const length of [w, h]) if (length !== undefined && !defaultWidths.includes(length)) t.fail(`${length} is not allowed`)
    pairs.add(`${w} ${h}`)
  }
  const sides = defaultWidths.length
  t.equal(sides, 77)
  t.ok(pairs.size > 3000 && pairs.size <= sides * sides + 2 * sides + 1, `${pairs.size} of ${sides * sides + 2 * sides + 1}`)

  const ratios = new Set<number>()
  const { snap } = operations.ar.argument
  for (let value = 0.01; value <= 100; value *= 1.0004) ratios.add(snap?.(value) ?? value)
  t.equal(ratios.size, 279, 'ratios')
  const qualities = new Set(Array.from({ length: 100 }, (_, i) => of(`q=${i + 1}`).q))
  t.equal(qualities.size, defaultQualities.length)
})

t.test('every number is snapped to few, except those that the comment of admit names', async t => {
  const random = seeded(31)
  const most: Record<string, number> = { frame: 2000, w: 0, h: 0, dpr: 0, rect: 2000, pad: 2000, sharp: 2000, linear: 2000, q: 0 }
  for (const name of operationNames) {
    const { argument } = operations[name] as unknown as Operation<unknown>
    if (most[name] !== undefined) continue
    const seen = new Set<string>()
    for (let i = 0; i < 300; i++) {
      const value = randomValue(name, random)
      seen.add(JSON.stringify(argument.snap === undefined ? value : argument.snap(value)))
    }
    const isColour = ['bg', 'tint', 'txt-color'].includes(name)
    t.ok(isColour || ['txt', 'mark'].includes(name) || seen.size <= 60, `${name}: ${seen.size}`)
  }
})

t.test('nobody writes on pictures where sizes are snapped, except the configuration', async t => {
  t.throws(() => of('w=320&txt=Buy'), { code: 'bad-transform', detail: /^txt: .*`open` and `signed`/ })
  t.strictSame(of('preset=signed').txt, 'Mine')
  t.strictSame(of('preset=signed&txt-size=50').txt, 'Mine')
  t.throws(() => of('preset=signed&txt=Yours'), { code: 'bad-transform' })
  t.strictSame(of('txt=Buy', open).txt, 'Buy')
})

t.test('the URL goes before its preset, which stays exact otherwise', async t => {
  t.strictSame(of('preset=card'), { w: 333, h: 222, fit: 'cover', f: 'auto', q: 77 })
  t.strictSame(of('preset=card&q=60&f=webp'), { w: 333, h: 222, fit: 'cover', f: 'webp', q: 60 })
  t.strictSame(of('preset=card&dpr=2'), { w: 675, h: 450, fit: 'cover', f: 'auto', q: 77 })
  t.strictSame(of('preset=card&dpr=2', open), { w: 666, h: 444, fit: 'cover', f: 'auto', q: 77 })
  t.strictSame(of('preset=card&w=100', open), { w: 100, h: 222, fit: 'cover', f: 'auto', q: 77 })
  t.throws(() => of('preset=crad'), { code: 'bad-transform', detail: 'Unknown preset "crad". Did you mean card?' })
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) t.throws(() => of(`preset=${name}`), { code: 'bad-transform' }, name)
})

t.test('where presets alone are made, nothing stands beside them', async t => {
  const presets = { mode: 'presets' } as const
  t.strictSame(of('preset=card', presets), of('preset=card', open))
  t.strictSame(of('preset=card&download=x', presets), of('preset=card', open))
  t.strictSame(of('info', presets), {})
  t.throws(() => of('preset=card&w=5', presets), { code: 'bad-transform', detail: /^w: this mount makes presets alone/ })
  t.throws(() => of('h=5&w=5', presets), { code: 'bad-transform', detail: /^w, h: / })
  t.throws(() => of('preset=none', presets), { code: 'bad-transform', detail: /^Unknown preset "none"/ })
})

t.test('a signature allows what a URL may ask within the limits: who signs decides', t => {
  t.strictSame(of('w=301', { mode: 'signed' }), of('w=301', { mode: 'open' }))
  t.throws(() => of('', { mode: 'presets' }), { code: 'bad-transform', detail: /preset=NAME/ })
  t.strictSame(of('info', { mode: 'presets' }), {})
  t.end()
})

t.test('limits are told by name', async t => {
  t.throws(() => of('w=9000', open), { code: 'image-too-large', statusCode: 422, detail: 'w: 9000 pixels are more than the 8192 that a side may have' })
  t.throws(() => of('h=5000&dpr=2', open), { code: 'image-too-large', detail: /^h: 10000 pixels/ })
  t.throws(() => of('w=8000&ar=1:5', open), { code: 'image-too-large', detail: /^h: 40000 pixels/ })
  t.throws(() => of('w=8000&h=8000', open), { code: 'image-too-large', detail: 'w, h: 8000 × 8000 pixels are more than the 25000000 that a variant may have' })
  t.throws(() => of('w=8000&pad=0,100,0,100', open), { code: 'image-too-large', detail: 'w: 8200 pixels with its pad are more than the 8192 that a side may have' })
  t.throws(() => of('w=3840&h=3840', { maxOutputPixels: 10_000_000 }), { code: 'image-too-large' }, 'also where sizes are snapped')
  t.throws(() => of('w=1&h=1&q=1', { maxOperations: 2 }), { code: 'bad-transform', statusCode: 400, detail: '3 operations are more than the 2 that one URL may have' })
  t.doesNotThrow(() => of('preset=card&q=1', { maxOperations: 1 }))
  t.throws(() => of('mark=lgo'), { code: 'bad-transform', detail: 'mark: unknown overlay "lgo". Did you mean logo?' })
  t.throws(() => of('preset=lost'), { code: 'bad-transform', detail: /^mark: unknown overlay "gone"/ })
  t.strictSame(of('mark=logo'), { mark: 'logo' })
})

t.test('what is admitted is canonical and within the limits, or refused as the client\'s fault', async t => {
  const random = seeded(32)
  let admitted = 0
  for (let i = 0; i < 4000; i++) {
    const mode = (['open', 'snapped'] as const)[i % 2] as 'open'
    const asked = { values: randomValues(random), info: false, ...random() < 0.3 ? { preset: 'card' } : {} }
    try {
      const transform = admit(asked, { ...base, mode, overlays: new Set(), maxOperations: 12 })
      admitted++
      const again = admit({ values: transform, info: false }, { ...base, mode, overlays: new Set(), maxOperations: 100 })
      if (mode === 'open' && transformText(again) !== transformText(transform)) t.fail(transformText(transform))
      if ((transform.w ?? 0) > 8192 || (transform.h ?? 0) > 8192 || !Object.isFrozen(transform)) t.fail(transformText(transform))
    } catch (error) {
      if (!(error instanceof MediaError) || !['bad-transform', 'image-too-large'].includes(error.code)) throw error
    }
  }
  t.ok(admitted > 1000, `${admitted} were admitted`)
})

t.test('a preset is operations alone', async t => {
  t.strictSame(readPreset('width=320&f=auto'), { w: 320, f: 'auto' })
  t.ok(Object.isFrozen(readPreset('w=1')))
  for (const text of ['', 'preset=other', 'w=1&info', 'w=1&download', 'widht=5', 'w=0']) t.throws(() => readPreset(text), { code: 'bad-transform' }, text)
})
