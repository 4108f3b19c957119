import t from 'tap'
import { hintedLinks } from '../../../lib/upstream/early-hints.ts'
import { cpuMs } from '../../helpers/process.ts'

t.test('links are told one by one', t => {
  const cases: Array<[string | string[] | undefined, string[]]> = [
    [undefined, []],
    ['', []],
    ['</a.css>; rel=preload; as=style', ['</a.css>; rel=preload; as=style']],
    ['</a>; rel=preload, </b>; rel=preload', ['</a>; rel=preload', '</b>; rel=preload']],
    [['</a>', '</b>'], ['</a>', '</b>']],
    ['</a,b>; title="x"', ['</a,b>; title="x"']],
    ['</a>; title="x, y", </b>', ['</b>']],
    ['no link, </b>', ['</b>']],
    ['</a>; title="open', []],
    ['</a', []],
    [',,, ,', []]
  ]
  for (const [field, links] of cases) t.same(hintedLinks(field), links, String(field))
  t.end()
})

t.test('a hostile field takes no time', t => {
  for (const text of ['<'.repeat(60_000), '"'.repeat(60_001), '<a>;'.repeat(20_000), `<a>;${'='.repeat(60_000)}"`, `<a>;${'='.repeat(2000)}",`.repeat(30), '<a>,'.repeat(15_000), '<a>; '.repeat(15_000), `<a>${' '.repeat(60_000)}x`, '"\\'.repeat(30_000)]) {
    const before = performance.now()
    hintedLinks(text)
    t.ok(performance.now() - before < 5000, `${text.slice(0, 8)} ${Math.round(performance.now() - before)} ms`)
  }
  t.end()
})

t.test('parameters that can be read in many ways are read in one', t => {
  for (const text of [`<a>${';a=b'.repeat(200)};"`, `<a>${';a="b"'.repeat(200)};"`, `<a>${';a='.repeat(200)};"x`, `<a>${'; a=b='.repeat(200)} x`]) {
    const took = cpuMs(() => t.same(hintedLinks(text), []))
    t.ok(took < 200, `${text.slice(0, 12)} ${Math.round(took)} ms`)
  }
  for (const text of [`<a>${';a=b'.repeat(200)}`, `<a>${'; a="b"'.repeat(200)}`]) t.same(hintedLinks(text), [text])
  t.end()
})
