import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { headerFacts } from '../../../lib/image/originals.ts'
import * as errors from '../../../lib/errors.ts'
import type { Representation } from '../../../lib/representation.ts'
import { revisionOf } from '../../../lib/sources/stored-file.ts'
import { drawn } from '../../helpers/pictures.ts'

function representation (bytes: Buffer, more: Partial<Representation> = {}): Representation & { opens: () => number } {
  let opens = 0
  return {
    type: 'application/octet-stream',
    size: bytes.length,
    open: range => { opens++; return range === undefined ? bytes : bytes.subarray(range.start, range.end + 1) },
    opens: () => opens,
    ...more
  }
}

t.test('an original is looked into once, however many ask, and then known without waiting', async t => {
  const original = representation(await drawn(40, 30).png().toBuffer())
  const [one, two] = await Promise.all([headerFacts(original), headerFacts(original)])
  t.match(one, { format: 'png', width: 40, height: 30, alpha: false })
  t.equal(two, one)
  t.equal(headerFacts(original), one)
  t.equal(original.opens(), 1)
})

t.test('bytes in memory are not opened; of streams no more than the head is read', async t => {
  const bytes = await drawn(300, 300).png({ compressionLevel: 0 }).toBuffer()
  const kept = representation(bytes, { bytes })
  t.match(await headerFacts(kept), { format: 'png', width: 300 })
  t.equal(kept.opens(), 0)
  let pulled = 0
  const stream = new Readable({ read () { this.push(pulled === 0 ? bytes : Buffer.alloc(65_536)); pulled++ } }) // without end
  t.match(await headerFacts(representation(bytes, { size: undefined, open: () => stream })), { format: 'png' })
  t.ok(pulled < 10, `${pulled} chunks`)
  t.ok(stream.destroyed)
})

t.test('what is no picture of an accepted kind is refused by what it is', async t => {
  for (const [bytes, detail] of [[Buffer.from('just text'), /no image/], [Buffer.alloc(0), /no image/], [Buffer.from('%PDF-1.7\n'), /PDF/], [Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]), /./]] as const) {
    await t.rejects(Promise.resolve(headerFacts(representation(bytes))), { code: 'unsupported-image', statusCode: 415, message: detail })
  }
  const again = representation(Buffer.from('just text'))
  await t.rejects(Promise.resolve(headerFacts(again)))
  await t.rejects(Promise.resolve(headerFacts(again)), { code: 'unsupported-image' })
})

t.test('of a JPEG with large metadata more is read, until its size is known', async t => {
  const plain = await drawn(300, 200).jpeg().toBuffer()
  const segment = Buffer.alloc(65_000)
  segment.writeUInt16BE(0xFFED)
  segment.writeUInt16BE(64_998, 2)
  const original = representation(Buffer.concat([plain.subarray(0, 2), segment, segment, plain.subarray(2)]))
  t.match(await headerFacts(original), { format: 'jpeg', width: 300, height: 200 })
  t.equal(original.opens(), 2)
})

function storedAt (path: string): NonNullable<Representation['stored']> {
  const stats = statSync(path, { bigint: true })
  return { path, revision: revisionOf(stats), size: Number(stats.size), changed: Number(stats.ctimeMs) }
}

t.test('a file on disk is looked into by itself, and told where it changed since', async t => {
  const path = join(t.testdir(), 'a.png')
  const bytes = await drawn(300, 300).png({ compressionLevel: 0 }).toBuffer()
  writeFileSync(path, bytes)
  const stored = storedAt(path)
  const original = representation(bytes, { stored })
  t.match(await headerFacts(original), { format: 'png', width: 300 })
  t.equal(original.opens(), 0, 'who serves files keeps no descriptor for it')
  writeFileSync(path, bytes.subarray(0, 2000))
  await t.rejects(Promise.resolve(headerFacts(representation(bytes, { stored }))), { name: 'RepresentationChanged' })
})

t.test('where no descriptor is left, who serves files makes room', async t => {
  const bytes = await drawn(40, 30).png().toBuffer()
  const failing = async (code: 'out-of-descriptors' | 'forbidden'): Promise<{ facts: unknown, opens: number }> => {
    const openStored = async (): Promise<never> => { throw new errors.MediaError(code) }
    const { headerFacts: factsOf } = await t.mockImport<typeof import('../../../lib/image/originals.ts')>('../../../lib/image/originals.ts', { '../../../lib/errors.ts': errors, '../../../lib/sources/stored-file.ts': { openStored, revisionOf } })
    const original = representation(bytes, { stored: { path: '/x', revision: 'r', size: bytes.length, changed: 0 } })
    return { facts: await Promise.resolve(factsOf(original)).catch((error: unknown) => error), opens: original.opens() }
  }
  t.match(await failing('out-of-descriptors'), { facts: { format: 'png', width: 40 }, opens: 1 })
  t.match(await failing('forbidden'), { facts: { name: 'MediaError', code: 'forbidden' }, opens: 0 })
})
