import type { Key } from '../paths/request-path.ts'
import type { Source } from './source.ts'

/**
 * A source whose files are also found by the decomposed spellings of their names, such as a client on macOS sends:
 * those that were written here are in Normalization Form C (UAX 15). What has the exact name stands before it.
 */
export function normalNames (source: Source): Source {
  return {
    stat: key => {
      const normal = key.normalize('NFC') as Key
      return normal === key ? source.stat(key) : either(source, key, normal)
    },
    list: async (key, limit) => await source.list(key, limit) ?? await source.list(key.normalize('NFC') as Key, limit),
    close: async () => await source.close()
  }
}

async function either (source: Source, key: Key, normal: Key): Promise<Awaited<ReturnType<Source['stat']>>> {
  return await source.stat(key) ?? await source.stat(normal)
}
