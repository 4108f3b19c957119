import { HotFiles } from '../cache/hot-files.ts'
import type { Config, MountConfig, SourceConfig } from '../config/schema.ts'
import { fileSource } from './file.ts'
import { LargeFiles } from './large-files.ts'
import { precompressed } from './precompressed.ts'
import type { Source } from './source.ts'
import { treeSource } from './tree.ts'

/** The sources of a configuration, opened once, with what they share. */
export interface Sources {
  /** A mount's source, with hot files and compressed siblings as the mount wants them. */
  of (mount: MountConfig): Source
  /** A source of the configuration, by its name. */
  named (name: string): Source
  close (): Promise<void>
}

/** Opens every source of a checked configuration. @throws where a directory is gone since it was checked */
export async function openSources (config: Readonly<Config>): Promise<Sources> {
  const largeFiles = new LargeFiles(config.largeFiles)
  const hotFiles = new HotFiles(config.hotFiles)
  const open = new Map<string, Source>()
  const kept = new Map<string, Source>()

  async function opened (name: string): Promise<Source> {
    let source = open.get(name)
    if (source === undefined) open.set(name, source = await create(config.sources[name] as SourceConfig))
    return source
  }

  async function create (source: SourceConfig): Promise<Source> {
    if (source.driver === 'file') return await fileSource(source, largeFiles)
    if (source.driver !== 'tree') throw new TypeError(`There is no driver ${source.driver}`)
    const branches = []
    for (const branch of source.branches) branches.push({ path: branch.path, source: await opened(branch.source) })
    return treeSource(branches)
  }

  for (const name of Object.keys(config.sources)) await opened(name)

  return {
    of ({ source: name = '', precompressed: wanted }) {
      const id = `${name} ${wanted}`
      let source = kept.get(id)
      if (source === undefined) {
        const plain = open.get(name) as Source
        kept.set(id, source = hotFiles.over(wanted ? precompressed(plain) : plain))
      }
      return source
    },
    named: name => open.get(name) as Source,
    async close () {
      await Promise.all([...open.values()].map(async source => await source.close()))
      await largeFiles.close()
    }
  }
}
