import { HotFiles } from '../cache/hot-files.ts'
import type { Config, MountConfig, SourceConfig } from '../config/schema.ts'
import type { Sender } from '../upstream/message.ts'
import { remoteRules } from '../upstream/remote-rules.ts'
import { fileSource } from './file.ts'
import { httpSource } from './http.ts'
import { LargeFiles } from './large-files.ts'
import { precompressed } from './precompressed.ts'
import { remoteKey, remoteSource } from './remote.ts'
import type { Source } from './source.ts'
import { treeSource } from './tree.ts'

type RemoteConfig = Extract<SourceConfig, { driver: 'remote' }>

/** The sources of a configuration, opened once, with what they share. */
export interface Sources {
  /** A mount's source, with hot files and compressed siblings as the mount wants them. */
  of (mount: MountConfig): Source
  /** A source of the configuration, by its name. */
  named (name: string): Source
  close (): Promise<void>
}

/** Who is asked for files that lie elsewhere. */
export interface Senders {
  /** An upstream, by its name, and URLs of its origins. */
  named (name: string): { readonly sender: Sender, readonly bases: readonly string[] }
  /** The server of a URL that a client named. */
  remote (name: string, config: RemoteConfig): { senderOf (url: URL): Sender, close (): Promise<void> }
}

/** Opens every source of a checked configuration. @throws where a directory is gone since it was checked */
export async function openSources (config: Readonly<Config>, senders: Senders): Promise<Sources> {
  const largeFiles = new LargeFiles(config.largeFiles)
  const hotFiles = new HotFiles(config.hotFiles)
  const open = new Map<string, Source>()
  const kept = new Map<string, Source>()

  async function opened (name: string): Promise<Source> {
    let source = open.get(name)
    if (source === undefined) open.set(name, source = await create(name, config.sources[name] as SourceConfig))
    return source
  }

  async function create (name: string, source: SourceConfig): Promise<Source> {
    if (source.driver === 'file') return await fileSource(source, largeFiles)
    if (source.driver === 'http') return httpSource({ ...source, ...senders.named(source.upstream) })
    if (source.driver === 'remote') return remote(source, senders.remote(name, source))
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
        // What lies elsewhere keeps itself, by what its server says.
        if (['http', 'remote'].includes(config.sources[name]?.driver ?? '')) return plain
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

function remote (config: RemoteConfig, servers: ReturnType<Senders['remote']>): Source {
  const source = remoteSource({ ...config, senderOf: url => servers.senderOf(url), rules: remoteRules(config.allow, config) })
  return {
    keyOf: remoteKey,
    stat: key => source.stat(key),
    list: async (key, limit) => await source.list(key, limit),
    async close () {
      await source.close()
      await servers.close()
    }
  }
}
