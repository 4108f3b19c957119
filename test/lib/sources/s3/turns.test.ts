import t from 'tap'
import { Turns } from '../../../../lib/sources/s3/turns.ts'

t.test('work on one name is done one by one, in order; on others at once', async t => {
  const turns = new Turns()
  const done: string[] = []
  const held: Array<() => void> = []
  const work = (name: string) => async (): Promise<string> => {
    done.push(`${name} begins`)
    await new Promise<void>(resolve => held.push(resolve))
    done.push(`${name} ends`)
    return name
  }
  const all = [turns.take(['a'], work('one')), turns.take(['b'], work('two')), turns.take(['a', 'b'], work('three')), turns.take(['b', 'c'], work('four'))]
  while (done.filter(line => line.endsWith('ends')).length < 4) {
    await new Promise(resolve => setImmediate(resolve))
    held.shift()?.()
  }
  t.same(await Promise.all(all), ['one', 'two', 'three', 'four'])
  t.ok(done.indexOf('three begins') > done.indexOf('one ends') && done.indexOf('three begins') > done.indexOf('two ends'))
  t.ok(done.indexOf('two begins') < done.indexOf('one ends'))
  t.ok(done.indexOf('four begins') > done.indexOf('three ends'))
})

t.test('work that fails lets the next have its turn', async t => {
  const turns = new Turns()
  const failing = turns.take(['a'], async () => { throw new Error('no') })
  const next = turns.take(['a'], async () => 'yes')
  await t.rejects(failing, /no/)
  t.equal(await next, 'yes')
})
