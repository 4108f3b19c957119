import t from 'tap'
import { flipped, rotated, rotatedBox, turnedSize, turnOfOrientation, unturnedRect, type Rect } from '../../../../lib/image/pipeline/geometry.ts'
import { planRect, planSize, type SizePlan } from '../../../../lib/image/pipeline/plan.ts'
import { canonical, type Values } from '../../../../lib/transform/transform.ts'

const picture = { width: 4000, height: 3000 }
const plan = (values: Values, size = picture, more: { vector?: boolean, crop?: Rect, scaledPixels?: number } = {}): SizePlan => planSize(canonical(values), { picture: size, scaledPixels: 50_000_000, ...more })
const sides = (values: Values, size = picture, more = {}): string => {
  const { canvas } = plan(values, size, more)
  return `${canvas.width}x${canvas.height}`
}

t.test('each fit gives the size that its doc line tells', async t => {
  t.equal(sides({}), '4000x3000')
  t.equal(sides({ w: 400 }), '400x300')
  t.equal(sides({ h: 300 }), '400x300')
  t.equal(sides({ w: 400, h: 400 }), '400x300')
  t.equal(sides({ w: 400, h: 400, fit: 'scale-down' }), '400x300')
  t.equal(sides({ w: 400, h: 400, fit: 'inside' }), '400x300')
  t.equal(sides({ w: 400, h: 400, fit: 'outside' }), '533x400')
  t.equal(sides({ w: 400, h: 400, fit: 'cover' }), '400x400')
  t.equal(sides({ w: 400, h: 400, fit: 'fill' }), '400x400')
  t.equal(sides({ w: 400, h: 400, fit: 'contain' }), '400x400')
  t.same(plan({ w: 400, h: 400, fit: 'contain' }).cut, { left: 0, top: 0, width: 400, height: 300 })
  t.equal(sides({ w: 400, fit: 'cover' }), '400x300', 'one side alone leaves nothing to fit')
  t.equal(sides({ w: 400, fit: 'fill' }), '400x300')
  t.equal(sides({ w: 200, dpr: 2 }), '400x300')
})

t.test('a width alone never enlarges, a fit does unless told otherwise', async t => {
  const small = { width: 100, height: 50 }
  t.equal(sides({ w: 400 }, small), '100x50')
  t.equal(sides({ w: 400, h: 10 }, small), '20x10')
  t.equal(sides({ w: 400, enlarge: true }, small), '400x200')
  t.equal(sides({ w: 400, fit: 'inside' }, small), '400x200')
  t.equal(sides({ w: 400, h: 400, fit: 'cover' }, small), '400x400')
  t.equal(sides({ w: 400, h: 400, fit: 'cover', enlarge: false }, small), '50x50', 'the asked shape, no larger than there is')
  t.equal(sides({ w: 400, h: 400, fit: 'contain', enlarge: false }, small), '100x100')
  t.equal(sides({ w: 400, h: 400, fit: 'fill', enlarge: false }, small), '50x50')
  t.equal(sides({ w: 400, h: 400, fit: 'outside', enlarge: false }, small), '100x50')
  t.equal(sides({ w: 400, h: 400, fit: 'inside', enlarge: false }, small), '100x50')
  t.equal(sides({ w: 400 }, small, { vector: true }), '400x200', 'what is drawn anew has no size of its own')
  t.equal(sides({ w: 400, h: 400, fit: 'cover', enlarge: false }, small, { vector: true }), '50x50')
})

t.test('an aspect ratio gives the side that is not given, or cuts without scaling', async t => {
  t.equal(sides({ w: 400, ar: 1 }), '400x400')
  t.equal(sides({ h: 400, ar: 2 }), '800x400')
  t.equal(sides({ ar: 1 }), '3000x3000')
  t.equal(sides({ ar: 2 }), '4000x2000')
  t.equal(sides({ ar: 2, fit: 'contain' }), '6000x3000')
  t.equal(sides({ ar: 2, fit: 'inside' }), '4000x3000')
  t.equal(sides({ ar: 1, fit: 'fill' }), '3000x3000')
  t.equal(sides({ ar: 0.01 }), '30x3000')
  t.equal(sides({ ar: 100 }), '4000x40')
  t.equal(sides({ ar: 100 }, { width: 1, height: 1 }), '1x1')
})

t.test('what is cut follows the position, and the focal point as far as the picture goes', async t => {
  const cut = (values: Values): readonly number[] => {
    const { cut: { left, top, width, height } } = plan({ w: 100, h: 100, fit: 'cover', ...values }, { width: 1200, height: 300 })
    return [left, top, width, height]
  }
  t.same(cut({}), [150, 0, 100, 100])
  t.same(cut({ position: 'left' }), [0, 0, 100, 100])
  t.same(cut({ position: 'bottom-right' }), [300, 0, 100, 100])
  t.same(cut({ position: 'top' }), [150, 0, 100, 100])
  t.same(cut({ fx: 0, fy: 0.5 }), [0, 0, 100, 100])
  t.same(cut({ fx: 0.4, fy: 0.5 }), [110, 0, 100, 100], 'the point is in the middle')
  t.same(cut({ fx: 1, fy: 1 }), [300, 0, 100, 100])
  t.same(plan({ w: 100, h: 100, fit: 'contain', position: 'bottom-right' }, { width: 1200, height: 300 }).canvas, { left: 0, top: 75, width: 100, height: 100 })
})

t.test('zoom shows a part of each side around the focal point', async t => {
  const zoomed = plan({ w: 200, zoom: 2, fx: 0.3, fy: 0.3 }, { width: 1600, height: 800 })
  t.same(zoomed.scaled, { width: 400, height: 200 })
  t.same(zoomed.cut, { left: 20, top: 10, width: 200, height: 100 })
  t.same(plan({ zoom: 10, fx: 1, fy: 1 }, { width: 100, height: 50 }).source, { left: 90, top: 45, width: 10, height: 5 })
})

t.test('a smart position covers first and leaves the place to the engine', async t => {
  const smart = plan({ w: 100, h: 100, fit: 'cover', position: 'attention' }, { width: 1200, height: 300 })
  t.same(smart.smart, { by: 'attention', width: 100, height: 100 })
  t.same(smart.scaled, { width: 400, height: 100 })
  t.same(smart.canvas, { left: 0, top: 0, width: 100, height: 100 })
  t.equal(plan({ w: 8000, h: 10, fit: 'cover', position: 'entropy' }, { width: 1, height: 20_000 }).smart, undefined, 'unless what covers would be too large')
})

t.test('a part is cut after scaling where decoders can shrink, and before where they cannot', async t => {
  const crop = { left: 1000, top: 1000, width: 2000, height: 1000 }
  const small = plan({ w: 200 }, picture, { crop })
  t.same([small.source, small.scaled, small.cut], [{ left: 0, top: 0, ...picture }, { width: 400, height: 300 }, { left: 100, top: 100, width: 200, height: 100 }])
  const large = plan({ w: 1500 }, picture, { crop })
  t.same([large.source, large.scaled, large.cut], [crop, { width: 1500, height: 750 }, { left: 0, top: 0, width: 1500, height: 750 }])
  const same = plan({}, picture, { crop })
  t.same([same.source, same.scaled], [crop, { width: 2000, height: 1000 }])
})

t.test('no extreme leads to an empty side, a cut outside, or a scaling beyond the bound', async t => {
  const extremes = [[1, 1], [65_000, 4], [4, 16_383], [1, 20_000], [3, 2], [8000, 6000]]
  const widths = [undefined, 1, 7, 320, 16_384]
  const fits = [undefined, 'cover', 'contain', 'fill', 'inside', 'outside'] as const
  const bound = 50_000_000
  let count = 0
  for (const [width = 0, height = 0] of extremes) for (const w of widths) for (const h of widths) for (const fit of fits) {
    for (const extra of [{}, { ar: 0.01 }, { ar: 100 }, { zoom: 10, fx: 0.999, fy: 0 }, { enlarge: false }, { enlarge: true, position: 'attention' }] as Values[]) {
      const { source, scaled, cut, canvas } = plan({ w, h, fit, ...extra }, { width, height }, { scaledPixels: bound })
      const label = JSON.stringify({ width, height, w, h, fit, extra, source, scaled, cut, canvas })
      const inside = (part: Rect, whole: { width: number, height: number }): boolean => [part.left, part.top, part.width, part.height].every(Number.isInteger) && part.left >= 0 && part.top >= 0 && part.width >= 1 && part.height >= 1 && part.left + part.width <= whole.width && part.top + part.height <= whole.height
      if (!inside(source, { width, height }) || !inside(cut, scaled) || canvas.left < 0 || canvas.top < 0) t.fail(label)
      if (scaled.width * scaled.height > Math.max(bound, cut.width * cut.height)) t.fail(`too large: ${label}`)
      count++
    }
  }
  t.equal(count, extremes.length * widths.length ** 2 * fits.length * 6)
})

t.test('a rectangle is in pixels or fractions, clipped to the picture, and refused outside', async t => {
  t.same(planRect(picture, [0.25, 0.25, 0.5, 0.5]), { left: 1000, top: 750, width: 2000, height: 1500 })
  t.same(planRect(picture, [0, 0, 1, 1]), { left: 0, top: 0, width: 4000, height: 3000 })
  t.same(planRect(picture, [10, 20, 30, 40]), { left: 10, top: 20, width: 30, height: 40 })
  t.same(planRect(picture, [3990, 2990, 100, 100]), { left: 3990, top: 2990, width: 10, height: 10 })
  t.same(planRect({ width: 1, height: 1 }, [0.9, 0.9, 0.01, 0.01]), { left: 0, top: 0, width: 1, height: 1 }, 'no part is empty')
  for (const rect of [[4000, 0, 10, 10], [0, 3000, 10, 10], [1, 0, 1, 1], [2, 2, 0, 5]]) {
    t.throws(() => planRect(picture, rect), { code: 'bad-transform', detail: /rect/ })
  }
})

t.test('turns compose, and parts of a turned picture are found in the stored one', async t => {
  const size = { width: 5, height: 3 }
  const places: Array<readonly [number, number]> = []
  for (let y = 0; y < size.height; y++) for (let x = 0; x < size.width; x++) places.push([x, y])
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turn = turnOfOrientation(orientation)
    const upright = turnedSize(size, turn)
    // By hand: mirror, then turn each place clockwise as often as it takes.
    const seen = new Map(places.map(([x, y]) => {
      let [a, b, height, width] = [turn.mirrored ? size.width - 1 - x : x, y, size.height, size.width]
      for (let degrees = 0; degrees < turn.degrees; degrees += 90) [a, b, height, width] = [height - 1 - b, a, width, height]
      return [`${a},${b}`, `${x},${y}`]
    }))
    for (const [spot, stored] of seen) {
      const [left = 0, top = 0] = spot.split(',').map(Number)
      const found = unturnedRect({ left, top, width: 1, height: 1 }, upright, turn)
      t.equal(`${found.left},${found.top}`, stored, `orientation ${orientation}, ${spot}`)
    }
    t.same(rotated(rotated(turn, 90), -90), turn)
    for (const way of ['h', 'v', 'hv'] as const) t.same(flipped(flipped(turn, way), way), turn)
    t.same(flipped(flipped(turn, 'h'), 'v'), flipped(turn, 'hv'))
  }
  t.same(turnOfOrientation(0), turnOfOrientation(1))
  t.same(turnOfOrientation(9), turnOfOrientation(1))
  const box = rotatedBox({ width: 100, height: 50 }, 90)
  t.ok(Math.abs(box.width - 50) < 1e-9 && Math.abs(box.height - 100) < 1e-9)
})
