import t from 'tap'
import { planMultipart } from '../../../lib/http/multipart-byteranges.ts'

const content = Buffer.from('abcdefghijklmnopqrstuvwxyz')

function render (ranges: Array<{ start: number, end: number }>, type = 'text/plain; charset=utf-8'): { body: Buffer, length: number, type: string } {
  const plan = planMultipart(type, content.length, ranges, 'BOUNDARY')
  const body = Buffer.concat([...plan.parts.flatMap(({ head, range }) => [head, content.subarray(range.start, range.end + 1)]), plan.tail])
  return { body, length: plan.length, type: plan.type }
}

t.test('each part carries its type, its range and its bytes (RFC 9110 §14.6)', async t => {
  const { body, type } = render([{ start: 0, end: 2 }, { start: 25, end: 25 }])
  t.equal(type, 'multipart/byteranges; boundary=BOUNDARY')
  t.equal(body.toString(), [
    '--BOUNDARY', 'Content-Type: text/plain; charset=utf-8', 'Content-Range: bytes 0-2/26', '', 'abc',
    '--BOUNDARY', 'Content-Type: text/plain; charset=utf-8', 'Content-Range: bytes 25-25/26', '', 'z',
    '--BOUNDARY--', ''
  ].join('\r\n'))
})

t.test('the length that is told is the length that is sent', async t => {
  for (const count of [1, 2, 3, 13]) {
    const ranges = Array.from({ length: count }, (_, place) => ({ start: place * 2, end: place * 2 + place % 2 }))
    const { body, length } = render(ranges, count === 13 ? 'x/y; name="\u00e9"' : 'a/b')
    t.equal(length, body.length, `${count} parts`)
  }
})

t.test('the length of ranges beyond 4 GiB is exact', async t => {
  const size = 2 ** 43
  const ranges = [{ start: 0, end: 2 ** 42 }, { start: size - 1, end: size - 1 }]
  const plan = planMultipart('a/b', size, ranges, 'B')
  const overhead = plan.parts.reduce((sum, { head }) => sum + head.length, plan.tail.length)
  t.equal(plan.length - overhead, 2 ** 42 + 2)
  t.match(plan.parts[1]?.head.toString(), 'Content-Range: bytes 8796093022207-8796093022207/8796093022208\r\n')
})
