import t from 'tap'
import { parseQuery } from '../../../lib/transform/grammars/query.ts'
import { operationNames } from '../../../lib/transform/operations.ts'
import { canonical, transformText, type Transform } from '../../../lib/transform/transform.ts'
import { randomValues, seeded } from '../../helpers/random-transforms.ts'

const of = (query: string): Transform => canonical(parseQuery(query, { unknown: 'refuse', ignored: [] }).values)

t.test('equal meaning is an equal transform', async t => {
  const groups = [
    ['', 'dpr=2', 'fit=cover', 'enlarge', 'kernel=cubic', 'position=top', 'fx=0.1', 'rot=0', 'rot=360', 'hue=360', 'pad=0', 'sharp=0', 'orient=auto', 'zoom=1', 'rect=0,0,1,1', 'linear=1', 'linear=1,0', 'lossless=0', 'meta=copyright', 'cs=srgb', 'animated', 'mark-alpha=50', 'txt-size=30', 'unflatten=0'],
    ['w=320', 'width=320', 'w=160&dpr=2', 'w=320&fit=scale-down', 'w=320&fit=max', 'w=320&enlarge=0', 'w=320&position=left', 'w=320&fit=inside&enlarge=0', 'w=320&fit=cover&enlarge=0'],
    ['w=320&fit=inside', 'w=320&fit=cover', 'w=320&fit=clip', 'w=320&enlarge', 'w=320&fit=fill&enlarge=1', 'w=320&fit=contain&position=top'],
    ['w=320&h=200', 'h=200&w=320', 'h=200&w=320&fit=max', 'w=160&h=100&dpr=2', 'w=320&h=200&ar=1:1', 'w=320&h=200&fit=inside&enlarge=0', 'w=320&h=200&position=attention'],
    ['w=320&h=180&fit=cover&enlarge=0', 'w=320&ar=16:9', 'h=180&ar=16:9', 'w=160&dpr=2&ar=16:9', 'ar=16:9&w=320&fit=cover&enlarge=0'],
    ['w=320&h=180&fit=cover', 'w=320&ar=16:9&fit=crop', 'w=320&ar=16:9&enlarge', 'w=320&h=180&fit=cover&enlarge=1&position=center', 'w=320&h=180&fit=cover&fx=0.5', 'w=320&h=180&fit=cover&position=focalpoint'],
    ['w=320&h=180&fit=cover&fx=0.2', 'w=320&h=180&fit=cover&fx=0.2&fy=0.5', 'w=320&h=180&fit=cover&crop=focalpoint&fp-x=0.2'],
    ['w=320&h=180&fit=contain&bg=fff', 'w=320&h=180&fit=pad', 'w=320&h=180&fit=pad&bg=white'],
    ['ar=1:1', 'ar=1&fit=cover', 'ar=1&dpr=3', 'ar=1&enlarge=0', 'ar=1&enlarge'],
    ['rot=350', 'rot=-10'], ['hue=350', 'hue=-10'], ['orient=none', 'orient=1'], ['tint=ff8800', 'tint=ff880080', 'tint=f80'],
    ['frame=2', 'frame=2&animated=0', 'frame=2&animated'],
    ['radius=5', 'radius=5&mask=corners'],
    ['w=200&zoom=2&fx=0.3&fy=0.5', 'w=200&zoom=2&fx=0.3']
  ]
  const texts = groups.map(group => {
    const [first = ''] = group
    for (const other of group) t.equal(transformText(of(other)), transformText(of(first)), `${other || '(nothing)'} is ${first || '(nothing)'}`)
    return transformText(of(first))
  })
  t.equal(new Set(texts).size, groups.length, 'and no two groups are equal')
})

t.test('a transform is frozen, in the order of the table, and canonical already', async t => {
  const random = seeded(2)
  for (let i = 0; i < 3000; i++) {
    const values = randomValues(random)
    const before = JSON.stringify(values)
    const transform = canonical(values)
    const text = transformText(transform)
    if (JSON.stringify(values) !== before) t.fail(`input changed: ${before}`)
    if (transformText(canonical(transform)) !== text) t.fail(`not canonical: ${before} → ${text} → ${transformText(canonical(transform))}`)
    if (transformText(canonical(JSON.parse(text) as Transform)) !== text) t.fail(`does not survive JSON: ${text}`)
    const places = Object.keys(transform).map(name => (operationNames as string[]).indexOf(name))
    if (places.some((place, i) => place <= (places[i - 1] ?? -1))) t.fail(`order: ${text}`)
    if (!Object.isFrozen(transform) || !Object.values(transform).every(Object.isFrozen)) t.fail(`not frozen: ${text}`)
  }
  t.pass()
})

t.test('what is gone is gone: no pixel density, no ratio beside sizes, nothing alone that needs another', async t => {
  const random = seeded(3)
  for (let i = 0; i < 2000; i++) {
    const transform = canonical(randomValues(random))
    const hasSize = transform.w !== undefined || transform.h !== undefined
    if (transform.dpr !== undefined || (hasSize && transform.ar !== undefined)) t.fail(transformText(transform))
    if (transform.mark === undefined && Object.keys(transform).some(name => name.startsWith('mark'))) t.fail(transformText(transform))
    if ((transform.w ?? 1) < 1 || (transform.h ?? 1) < 1) t.fail(transformText(transform))
  }
  t.pass()
})
