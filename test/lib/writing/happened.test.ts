import t from 'tap'
import type { MountConfig } from '../../../lib/config/schema.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { memorySource } from '../../../lib/sources/memory.ts'
import { happened } from '../../../lib/writing/happened.ts'
import type { FileEvent } from '../../../lib/writing/parts.ts'

t.test('what was announced happened if the store looks like it; more is told rather than less', async t => {
  const source = memorySource({ maxBytes: 1000 })
  const draft = await source.writing.begin('a.txt' as Key)
  await draft.write(Buffer.from('hello'))
  await draft.commit()
  const at = { sources: { plain: () => source }, mount: { prefix: '/files' } as MountConfig, root: '/media' }
  const event = (type: FileEvent['type'], path: string, size?: number): FileEvent => ({ id: '1', type, time: '2026-11-05T12:00:00.000Z', mount: '/files', path, principal: '', ...(size === undefined ? {} : { size }) })
  t.match(await happened(event('file.created', '/media/files/a.txt', 5), at), { size: 5, contentType: /text\/plain/ })
  t.match(await happened(event('file.created', '/media/files/a.txt'), at), { size: 5 })
  t.equal(await happened(event('file.created', '/media/files/a.txt', 6), at), undefined, 'what is there is something else')
  t.equal(await happened(event('file.created', '/media/files/b.txt', 5), at), undefined)
  t.same(await happened(event('file.deleted', '/media/files/b.txt'), at), {})
  t.equal(await happened(event('file.deleted', '/media/files/a.txt'), at), undefined)
  t.equal(await happened(event('file.created', '/elsewhere/a.txt', 5), at), undefined, 'of another place')
  t.equal(await happened(event('file.created', '/media/files/a.txt', 5), { ...at, mount: undefined }), undefined, 'of a mount that is gone')
  t.match(await happened(event('file.created', '/a.txt', 5), { ...at, mount: { prefix: '/' } as MountConfig, root: '' }), { size: 5 })
})
