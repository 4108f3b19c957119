import { mock } from 'node:test'
import t from 'tap'
import { Progress } from '../../cli/progress.ts'

t.beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }))
t.afterEach(() => mock.timers.reset())

function terminal (facts: { isTTY?: boolean, columns?: number }): { written: string[], write: (text: string) => void, isTTY?: boolean, columns?: number } {
  const written: string[] = []
  return { ...facts, written, write: text => { written.push(text) } }
}

t.test('where nobody looks at a terminal there is a line now and then, and no escape', t => {
  const file = terminal({})
  const progress = new Progress(file)
  progress.take({ kind: 'picture', path: '/a.png' })
  progress.take({ kind: 'made', path: '/a.png' })
  mock.timers.tick(29_999)
  t.same(file.written, [])
  mock.timers.tick(1)
  t.same(file.written, ['1 variant made, 0 there already, 0 failed; 0 files are no pictures\n'])
  progress.end()
  mock.timers.tick(60_000)
  t.same(file.written.slice(1), [''])
  t.end()
})

t.test('a terminal sees how many files there are once they are counted, in no more than its width', t => {
  const shown = terminal({ isTTY: true, columns: 60 })
  const progress = new Progress(shown)
  for (const kind of ['picture', 'no-picture', 'there'] as const) progress.take({ kind, path: `/${'long/'.repeat(20)}a.png` })
  mock.timers.tick(100)
  progress.total = 4
  mock.timers.tick(100)
  t.equal(shown.written[0], `\r\u001b[K${`[${'.'.repeat(20)}] 2 files, 0 made, 1 there, 0 failed  /long/long/long/`.slice(0, 59)}`)
  t.match(shown.written[1], `\r\u001b[K[${'#'.repeat(10)}${'.'.repeat(10)}] 2/4 files, 0 made`)
  progress.total = 0
  mock.timers.tick(100)
  t.match(shown.written[2], `[${'#'.repeat(20)}] 2/0 files`, 'files that came later do not overflow it')
  progress.end()
  t.end()
})

t.test('a reason is told once for each file', t => {
  const file = terminal({})
  const progress = new Progress(file)
  const error = new Error('cut off\nat its end')
  progress.take({ kind: 'failed', path: '/a.png', error, isNew: true })
  progress.take({ kind: 'failed', path: '/a.png', error, isNew: false })
  progress.end()
  t.same(file.written.filter(Boolean), ['/a.png: cut off\n'])
  t.equal(progress.summary(), '0 variants made, 0 there already, 2 failed; 0 files are no pictures')
  t.end()
})
