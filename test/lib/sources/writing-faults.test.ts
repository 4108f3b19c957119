import t from 'tap'
import { MediaError, type FailureCode } from '../../../lib/errors.ts'
import { writingFault } from '../../../lib/sources/writing-faults.ts'

const faults: Array<[errno: string, code: FailureCode]> = [
  ['ENOSPC', 'insufficient-storage'], ['EDQUOT', 'insufficient-storage'], ['EFBIG', 'insufficient-storage'],
  ['EROFS', 'forbidden'], ['EACCES', 'forbidden'], ['EPERM', 'forbidden'], ['EXDEV', 'forbidden'],
  ['ENOTDIR', 'conflict'], ['EISDIR', 'conflict'], ['EEXIST', 'conflict'], ['ENOTEMPTY', 'conflict'], ['EBUSY', 'conflict'],
  ['ENAMETOOLONG', 'bad-name'], ['EILSEQ', 'bad-name'],
  ['EMFILE', 'out-of-descriptors'], ['ENOENT', 'unavailable'], ['ESTALE', 'unavailable'], ['EIO', 'internal']
]

t.test('what a file system refuses with says whose fault it is', async t => {
  for (const [errno, code] of faults) {
    const fault = await writingFault(Object.assign(new Error(errno), { code: errno }), '/data/secret/a.txt')
    t.match(fault, { name: 'MediaError', code }, errno)
    t.notMatch((fault as MediaError).detail ?? '', '/data', 'no path of the machine is told')
  }
})

t.test('what is no fault of the file system stays what it is', async t => {
  for (const error of [new MediaError('precondition-failed'), new Error('of a condition'), 'thrown', undefined]) t.equal(await writingFault(error, '/data'), error)
})
