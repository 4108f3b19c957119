import t from 'tap'
import { KNOWN_BYTES, KNOWN_FILES, KnownFiles } from '../../../../lib/sources/http/known-files.ts'

interface File { overhead: number }

function remembered (known: KnownFiles<File>, count: number): number {
  let found = 0
  for (let n = 0; n < count; n++) if (known.get(String(n)) !== undefined) found++
  return found
}

t.test('files are known within a number and within bytes', async t => {
  for (const [overhead, most] of [[1, KNOWN_FILES], [Math.ceil(KNOWN_BYTES / 100), 100], [KNOWN_BYTES * 2, 1]] as const) {
    const known = new KnownFiles<File>()
    const count = most * 3
    for (let n = 0; n < count; n++) known.set(String(n), { overhead })
    t.equal(remembered(known, count), most, `${most} of the last generation`)
  }
})

t.test('what is asked for stays', async t => {
  const known = new KnownFiles<File>()
  known.set('popular', { overhead: 1 })
  for (let n = 0; n < 1000; n++) {
    known.set(String(n), { overhead: KNOWN_BYTES / 10 })
    t.ok(known.get('popular') !== undefined)
  }
})

t.test('the same file again costs nothing more, and what is forgotten nothing', async t => {
  const known = new KnownFiles<File>()
  const each = { overhead: KNOWN_BYTES / 3 }
  known.set('a', each)
  for (let n = 0; n < 100; n++) known.set('b', each)
  for (let n = 0; n < 100; n++) {
    known.set('c', { overhead: 1 })
    known.delete('c')
    known.delete('never known')
  }
  known.set('b', { overhead: 1 })
  t.ok(known.get('a'))
  known.clear()
  t.notOk(known.get('a'))
  for (let n = 0; n < 2; n++) known.set(String(n), each)
  t.equal(remembered(known, 2), 2)
})
