import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { memorySource } from '../../../lib/sources/index.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { fileAt, sourceContract } from '../../contracts/source.ts'
import { textAt, writableContract, write, writingOf } from '../../contracts/writable.ts'

const key = (text: string): Key => text as Key

async function memory (files: Record<string, string | Buffer>, maxBytes = 100_000_000): Promise<Source> {
  const source = memorySource({ maxBytes })
  for (const [name, content] of Object.entries(files)) {
    if (!name.split('/').some(segment => segment.startsWith('.'))) await write(source, name, content)
  }
  return source
}

t.test('the memory source keeps the source contract', t => {
  sourceContract(t, async (_, files) => await memory(files))
  t.end()
})

t.test('the memory source keeps the contract of sources that are written', t => {
  writableContract(t, async (_, files) => await memory(files))
  t.end()
})

t.test('files and drafts take room together, and give it back', async t => {
  const source = await memory({ 'a.txt': '1234' }, 10)
  const draft = await writingOf(source).begin(key('b.txt'))
  await draft.write(Buffer.from('12345'))
  await t.rejects(write(source, 'c.txt', '12'), { code: 'insufficient-storage' })
  await write(source, 'c.txt', '1')
  await draft.discard()
  await t.rejects(draft.write(Buffer.from('1')), MediaError, 'a draft that is over takes nothing')
  await write(source, 'b.txt', '12345')
  await t.rejects(write(source, 'd.txt', '1'), { code: 'insufficient-storage' })
  await writingOf(source).move(key('b.txt'), key('a.txt'))
  await write(source, 'd.txt', '1234')
  await t.rejects(write(source, 'e.txt', '1'), { code: 'insufficient-storage' }, 'what a move replaced was given back once')
  await writingOf(source).remove(key('a.txt'))
  await write(source, 'd.txt', '12345')
  await t.rejects(write(source, 'e.txt', '12345'), { code: 'insufficient-storage' }, 'what is replaced is there until it is')
  t.equal(await textAt(source, 'd.txt'), '12345')
})

t.test('one content written anew has another tag, in the same millisecond or in another source', async t => {
  const tags = new Set<string | undefined>()
  const sources = [await memory({}), await memory({})]
  for (const source of sources) {
    for (let n = 0; n < 3; n++) tags.add((await write(source, 'a.txt', 'same')).found.representation.entityTag)
  }
  t.equal(tags.size, 6)
})

t.test('names of properties are names', async t => {
  const source = await memory({ '__proto__/constructor': 'x', 'logo.svgz': 'x' })
  t.equal(await textAt(source, '__proto__/constructor'), 'x')
  t.equal(await source.stat(key('toString')), undefined)
  t.match((await fileAt(t, source, 'logo.svgz')).representation, { encoding: 'gzip' })
})
