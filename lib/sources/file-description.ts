import type { BigIntStats } from 'node:fs'
import { codingOf, typeOf } from '../http/media-type.ts'
import type { Key } from '../paths/request-path.ts'
import type { Representation } from '../representation.ts'
import { keyBelow, type Located } from './file-places.ts'
import type { LargeFiles } from './large-files.ts'
import type { FoundFile } from './source.ts'
import { revisionOf, type StoredFile } from './stored-file.ts'

/** A file of the machine as what a key names. */
export type Describe = (located: Located, key: Key, stats: BigIntStats) => FoundFile

/** @param largeFiles by what the files are opened */
export function describing (largeFiles: LargeFiles): Describe {
  return function describe (located, key, stats) {
    const found = foundFile(located.real, key, stats, largeFiles)
    const canonical = keyBelow(located.real, located.root)
    return canonical === undefined || canonical === key ? found : { ...found, canonical }
  }
}

function foundFile (path: string, key: Key, stats: BigIntStats, largeFiles: LargeFiles): FoundFile {
  const size = Number(stats.size)
  const changed = Number(stats.ctimeMs)
  const stored: StoredFile = { path, revision: revisionOf(stats), size, changed }
  const coding = codingOf(key)
  const representation: Representation = {
    type: typeOf(key),
    size,
    // Size and time alone, so that replicas of one directory agree (RFC 9110 §8.8.1).
    entityTag: `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}"`,
    lastModified: Number(stats.mtimeMs),
    ...(coding === undefined ? {} : { encoding: coding }),
    stored,
    cacheOutcome: 'disk',
    open: range => largeFiles.open(stored, range)
  }
  return { kind: 'file', representation, revision: stored.revision, changed }
}
