import t from 'tap'
import { HeldBodies, MAX_HELD } from '../../../../lib/sources/http/held-bodies.ts'
import { KeptBytes } from '../../../../lib/sources/http/kept-bytes.ts'
import { OriginBody } from '../../../../lib/sources/http/origin-body.ts'
import { Readable } from 'node:stream'
import { eventually } from '../../../helpers/process.ts'

t.test('no more is kept than may be, and what was unused for the longest goes first', t => {
  const kept = new KeptBytes(10_000)
  const entry = (size: number): { bytes: Buffer | undefined } => ({ bytes: Buffer.alloc(size) })
  const [one, two, three] = [entry(3000), entry(3000), entry(3000)]
  for (const each of [one, two, one]) kept.add(each)
  t.equal(kept.bytes, 7024)
  kept.touch(one)
  kept.touch(three) // not kept: nothing
  kept.add(three)
  t.ok(one.bytes !== undefined && three.bytes !== undefined)
  t.equal(two.bytes, undefined)
  t.equal(kept.bytes, 7024)
  const huge = entry(20_000)
  kept.add(huge)
  t.equal(kept.bytes, 0)
  t.equal(huge.bytes, undefined)
  for (let n = 0; n < 1000; n++) kept.add(entry(0))
  t.ok(kept.bytes <= 10_000, 'empty files cost too')
  kept.clear()
  t.equal(kept.bytes, 0)
  t.end()
})

const waiting = (): OriginBody => new OriginBody(new Readable({ read () {} }), { name: 'a', maxBytes: 10, length: undefined })

t.test('bodies wait for a time, until all who might want them have left, and only so many', async t => {
  const held = new HeldBodies(30)
  const brief = waiting()
  held.hold(brief)
  t.ok(await eventually(() => brief.destroyed && held.size === 0))
  held.hold(brief)
  t.equal(held.size, 0, 'what is gone does not wait')

  const long = new HeldBodies(60_000)
  const [shared, taken] = [waiting(), waiting()]
  for (const body of [shared, taken]) long.hold(body)
  long.claim(shared)
  long.claim(shared)
  long.release(shared)
  t.equal(shared.destroyed, false)
  long.release(shared)
  t.equal(shared.destroyed, true)
  long.take(taken)
  for (const act of ['take', 'claim', 'release'] as const) long[act](taken)
  t.equal(taken.destroyed, false)
  t.ok(await eventually(() => long.size === 0))

  const many = Array.from({ length: MAX_HELD + 3 }, waiting)
  for (const body of many) long.hold(body)
  t.ok(await eventually(() => long.size === MAX_HELD))
  t.strictSame(many.map(body => body.destroyed), many.map((_, place) => place < 3))
  long.close()
  t.ok(many.every(body => body.destroyed))
  t.ok(await eventually(() => long.size === 0))
})
