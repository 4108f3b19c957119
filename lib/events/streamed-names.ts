import { opendir } from 'node:fs/promises'
import { isAbsent } from '../cache/disk-faults.ts'

/** Names that are read of a directory at once. */
const READ_AT_ONCE = 256

/** The names in a directory, none where it is not there, without ever holding all of them. @throws as the file system does */
export async function * streamedNames (directory: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await opendir(directory, { bufferSize: READ_AT_ONCE })) yield name
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}
