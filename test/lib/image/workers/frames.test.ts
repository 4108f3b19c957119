import { PassThrough } from 'node:stream'
import t from 'tap'
import { CHUNK_BYTES, FrameFault, FrameReader, sendFrame, sendJson, type FrameKind } from '../../../../lib/image/workers/frames.ts'
import { failureOf, readFailure, readHello, readResult, resultParts } from '../../../../lib/image/workers/worker-messages.ts'
import { MediaError } from '../../../../lib/errors.ts'
import { RepresentationChanged } from '../../../../lib/representation.ts'

/** What was written to a pipe, as the other side reads it in pieces of `piece` bytes. */
function through (write: (channel: PassThrough) => void, piece: number): Array<[kind: FrameKind, text: string]> {
  const channel = new PassThrough({ highWaterMark: 1e9 })
  write(channel)
  const chunks: Buffer[] = []
  // What one read gives differs between versions of Node.js.
  for (let chunk = channel.read() as Buffer | null; chunk !== null; chunk = channel.read() as Buffer | null) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const frames: Array<[FrameKind, string]> = []
  const reader = new FrameReader({
    accept: (_kind, length) => Buffer.alloc(length),
    receive: (kind, payload) => { frames.push([kind, payload.toString()]) }
  })
  for (let start = 0; start < bytes.length; start += piece) reader.push(bytes.subarray(start, start + piece))
  return frames
}

t.test('frames arrive whole and in order, however the pipe cuts them', t => {
  const long = 'x'.repeat(40_000)
  const write = (channel: PassThrough): void => {
    sendJson(channel, 'job', { a: 1 })
    sendFrame(channel, 'chunk', Buffer.from('one'), Buffer.from('two'))
    sendFrame(channel, 'input-end')
    sendFrame(channel, 'chunk', Buffer.from(long), Buffer.from('!'))
    sendFrame(channel, 'cancel')
  }
  const expected = [['job', '{"a":1}'], ['chunk', 'onetwo'], ['input-end', ''], ['chunk', `${long}!`], ['cancel', '']]
  for (const piece of [1, 3, 5, 6, 4096, 1e9]) t.same(through(write, piece), expected, `in pieces of ${piece}`)
  t.end()
})

t.test('a payload goes where the receiver wants it, and nowhere else', t => {
  const target = Buffer.alloc(8)
  const reader = new FrameReader({ accept: (_kind, length) => target.subarray(2, 2 + length), receive: () => {} })
  reader.push(Buffer.from([2, 3, 0, 0, 0, 65, 66, 67]))
  t.equal(target.toString('latin1'), '\0\0ABC\0\0\0')
  t.end()
})

t.test('an unknown kind is refused before anything is reserved', t => {
  let asked = 0
  const reader = new FrameReader({
    accept: (_kind, length) => {
      asked++
      return Buffer.alloc(length)
    },
    receive: () => {}
  })
  t.throws(() => reader.push(Buffer.from([7, 0, 0, 0, 0])), { name: 'FrameFault' })
  t.throws(() => new FrameReader({ accept: () => { throw new FrameFault('too long') }, receive: () => {} }).push(Buffer.from([5, 255, 255, 255, 255])), { message: 'too long' })
  t.equal(asked, 0)
  t.end()
})

t.test('garbage of any kind never throws anything but a FrameFault', t => {
  let seed = 7
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed
  }
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(Array.from({ length: random() % 40 }, () => random() % 11 === 0 ? random() % 256 : random() % 8))
    const reader = new FrameReader({
      accept: (_kind, length) => {
        if (length > 64) throw new FrameFault('too long')
        return Buffer.alloc(length)
      },
      receive: (kind, payload) => {
        if (kind === 'hello') readHello(payload)
        else if (kind === 'result') readResult(payload)
        else readFailure(payload)
      }
    })
    try {
      reader.push(bytes)
    } catch (error) {
      if (!(error instanceof FrameFault)) t.fail(`${String(error)} for ${bytes.toString('hex')}`)
    }
  }
  t.ok(CHUNK_BYTES > 0)
  t.end()
})

t.test('a hello is read by its shape, unknown formats left out', t => {
  t.same(readHello(Buffer.from('{"inputs":["png","exe",7],"outputs":["webp"],"more":1}')), { inputs: ['png'], outputs: ['webp'] })
  for (const bad of ['', '[]', 'null', '7', '{', '{}', '{"inputs":[]}', '{"inputs":"png","outputs":[]}']) t.throws(() => readHello(Buffer.from(bad)), { name: 'FrameFault' }, bad)
  t.throws(() => readHello(Buffer.from('['.repeat(4000))), { name: 'FrameFault' })
  t.end()
})

t.test('a result comes back as it was, and only with facts that are numbers', t => {
  const result = { bytes: Buffer.from('pixels'), facts: { width: 3, height: 4, quality: 71.5 } }
  t.same(readResult(Buffer.concat(resultParts(result))), result)
  t.same(readResult(Buffer.concat(resultParts({ bytes: Buffer.alloc(0), facts: {} }))), { bytes: Buffer.alloc(0), facts: {} })
  const withFacts = (json: string): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(json.length)
    return Buffer.concat([length, Buffer.from(json)])
  }
  t.same(readResult(withFacts('{"width":1,"__proto__":{"a":1},"path":"x"}')).facts, { width: 1 })
  for (const bad of ['{"width":-1}', '{"width":"1"}', '{"frames":1e300}', '{"width":null}', 'x', '']) t.throws(() => readResult(withFacts(bad)), { name: 'FrameFault' }, bad)
  for (const bad of ['', '00', 'ffffffff', '05000000aa', '01100000']) t.throws(() => readResult(Buffer.from(bad, 'hex')), { name: 'FrameFault' }, bad)
  t.end()
})

t.test('a failure keeps its code and detail, and its texts are cut', t => {
  const across = (error: unknown): ReturnType<typeof readFailure> => readFailure(Buffer.from(JSON.stringify(failureOf(error))))
  t.match(across(new MediaError('image-too-large', { detail: 'The image has 60 megapixels' })), { kind: 'failed', code: 'image-too-large', detail: 'The image has 60 megapixels' })
  t.match(across(new RepresentationChanged('/a')), { kind: 'changed', code: undefined })
  t.match(across(new TypeError('x'.repeat(1e6))), { kind: 'threw', message: /^TypeError: x+$/ })
  t.equal(across(new Error('x'.repeat(1e6))).message.length, 1000)
  t.match(across('a word'), { kind: 'threw', message: 'a word' })
  t.match(across(undefined), { kind: 'threw', message: 'undefined' })
  for (const bad of ['{}', '{"kind":"failed"}', '{"kind":"failed","code":"toString","message":""}', '{"kind":"threw","message":7}', '{"kind":"failed","code":"busy","detail":{}}']) {
    t.throws(() => readFailure(Buffer.from(bad)), { name: 'FrameFault' }, bad)
  }
  t.end()
})
