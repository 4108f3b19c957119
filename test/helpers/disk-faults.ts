import { readlinkSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Test } from './app.ts'

/** For the length of a test, flushing what lies at some paths fails as it does on a disk that is broken. @returns ends it */
export async function brokenDisk (t: Test, isBroken: (path: string) => boolean): Promise<() => void> {
  const file = await open('/dev/null')
  const all = Object.getPrototypeOf(file) as FileHandle
  await file.close()
  const sync: (this: FileHandle) => Promise<void> = Reflect.get(all, 'sync')
  all.sync = async function (this: FileHandle) {
    if (isBroken(readlinkSync(`/proc/self/fd/${this.fd}`))) throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', errno: -5, syscall: 'fsync' })
    await sync.call(this)
  }
  const mend = (): void => { all.sync = sync }
  t.teardown(mend)
  return mend
}
