import t from 'tap'
import type { Key } from '../../../../lib/paths/request-path.ts'
import { isResumable, resumableAt } from '../../../../lib/writing/resumable/resumable-uploads.ts'

const key = (text: string): Key => text as Key
const id = '0123456789abcdef'.repeat(2)

t.test('the URL of an upload is that of its directory, and its id', t => {
  t.same(resumableAt(key(`a/b/.uploads/${id}`)), { directory: 'a/b', id })
  t.same(resumableAt(key(`.uploads/${id}`)), { directory: '', id })
  t.same(resumableAt(key('a/b')), { directory: 'a/b', id: undefined })
  t.same(resumableAt(key('')), { directory: '', id: undefined })
  for (const other of ['.uploads', 'a/.uploads', `a/.uploads/${id}/b`, `.uploads/.uploads/${id}`, `a/.uploads/${id.toUpperCase()}`, `.uploads/${id}0`]) t.throws(() => resumableAt(key(other)), { code: 'not-found' }, other)
  t.end()
})

t.test('a request speaks the protocol where it says so', t => {
  t.ok(isResumable({ headers: { 'tus-resumable': '0.2' } }))
  t.notOk(isResumable({ headers: { 'upload-length': '1' } }))
  t.end()
})
