import t from 'tap'
import { Unkept } from '../../../lib/http-cache/unkept.ts'

t.test('paths are remembered until their time is over, long ones too', async t => {
  const unkept = new Unkept()
  const long = `/${'a'.repeat(16_000)}`
  for (const path of ['/a', `/${'b'.repeat(128)}`, long]) {
    unkept.note(path, 1000)
    t.ok(unkept.has(path, 999))
    t.notOk(unkept.has(path, 1000))
    t.notOk(unkept.has(`${path}x`, 999))
    unkept.delete(path)
    t.notOk(unkept.has(path, 0))
  }
})

t.test('of ever new paths only the last are remembered, however long they are', async t => {
  const unkept = new Unkept()
  const path = (n: number): string => `/${n}-${'a'.repeat(14_000)}`
  for (let n = 0; n < 4001; n++) unkept.note(path(n), 1000)
  t.notOk(unkept.has(path(0), 0))
  t.ok(unkept.has(path(4000), 0))
})
