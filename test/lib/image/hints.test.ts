import t from 'tap'
import { hintedValues } from '../../../lib/image/hints.ts'

t.test('a width that the URL does not tell comes from the client', t => {
  t.same(hintedValues({}, { width: '640' }), { w: 640 })
  t.same(hintedValues({}, { 'sec-ch-width': '800', 'width': '640' }), { w: 800 })
  t.same(hintedValues({ w: 100 }, { width: '640' }), {})
  t.same(hintedValues({}, { width: '641' }, [320, 640, 1280]), { w: 1280 }, 'rounded up to what is made')
  t.same(hintedValues({}, { width: '5000' }, [320, 640, 1280]), { w: 1280 })
  t.same(hintedValues({ h: 100 }, { width: '640' }), {})
  t.end()
})

t.test('a density multiplies the size of the URL, in halves and bounded', t => {
  t.same(hintedValues({ w: 100 }, { dpr: '2' }), { dpr: 2 })
  t.same(hintedValues({ w: 100 }, { 'sec-ch-dpr': '1.7' }), { dpr: 1.5 })
  t.same(hintedValues({ w: 100 }, { dpr: '9' }), { dpr: 3 })
  t.same(hintedValues({ w: 100, dpr: 1 }, { dpr: '2' }), {})
  t.same(hintedValues({}, { dpr: '2' }), {}, 'nothing to multiply')
  t.end()
})

t.test('who saves data gets less quality, unless the URL names one', t => {
  t.same(hintedValues({ w: 1 }, { 'save-data': 'on' }), { q: 55 })
  t.same(hintedValues({ q: 90 }, { 'save-data': 'On' }), {})
  t.same(hintedValues({}, { 'save-data': 'off' }), {})
  t.end()
})

t.test('malformed hints are no hints', t => {
  for (const width of ['', '-1', '0', '1e3', '99999999', 'NaN', '1,2', '٣']) t.same(hintedValues({}, { width }), {}, width)
  t.end()
})
