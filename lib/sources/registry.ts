import { HotFiles } from '../cache/hot-files.ts'
import type { Config, MountConfig, SourceConfig } from '../config/schema.ts'
import type { Sender } from '../upstream/message.ts'
import type { UpstreamLog } from '../upstream/registry.ts'
import { remoteRules } from '../upstream/remote-rules.ts'
import { fileSource } from './file.ts'
import { httpSource, type OriginSource } from './http.ts'
import { LargeFiles } from './large-files.ts'
import { normalNames } from './normal-names.ts'
import { precompressed } from './precompressed.ts'
import { remoteKey, remoteSource } from './remote.ts'
import type { Source } from './source.ts'
import { treeSource } from './tree.ts'
import type { Writable } from './writing.ts'

type HttpConfig = Extract<SourceConfig, { driver: 'http' }>
type RemoteConfig = Extract<SourceConfig, { driver: 'remote' }>

/** The sources of a configuration, opened once, with what they share. */
export interface Sources {
  /** A mount's source, with hot files and compressed siblings as the mount wants them. */
  of (mount: MountConfig): Source
  /** A mount's source past all that keeps its files. */
  plain (mount: MountConfig): Source
  /** Where the files of a mount are written. */
  writing (mount: MountConfig): Writable | undefined
  /** A source of the configuration, by its name. */
  named (name: string): Source
  /** From now on whoever asks for a file has it looked at anew, and where it lies elsewhere its server is asked whether it changed. */
  doubt (): void
  close (): Promise<void>
}

/** Who is asked for files that lie elsewhere. */
export interface Senders {
  /** The upstream of a source, and URLs of its origins. */
  readonly upstream: (name: string, source: HttpConfig) => { readonly sender: Sender, readonly bases: readonly string[] }
  /** The servers of URLs that clients name. */
  readonly remote: (name: string, source: RemoteConfig) => { readonly senderOf: (url: URL) => Sender, readonly close: () => Promise<void> }
}

/** Opens every source of a checked configuration. @throws where a directory or a secret is gone since it was checked */
export async function openSources (config: Readonly<Config>, senders: Senders, log?: UpstreamLog): Promise<Sources> {
  const largeFiles = new LargeFiles(config.largeFiles)
  const hotFiles = new HotFiles(config.hotFiles)
  const open = new Map<string, Source>()
  const kept = new Map<string, Source>()
  const distant: OriginSource[] = []

  async function opened (name: string): Promise<Source> {
    let source = open.get(name)
    if (source === undefined) open.set(name, source = await create(name, config.sources[name] as SourceConfig))
    return source
  }

  async function create (name: string, source: SourceConfig): Promise<Source> {
    if (source.driver === 'file') return await fileSource(source, largeFiles)
    if (source.driver === 'http') return far(httpSource({ ...source, ...senders.upstream(name, source) }))
    if (source.driver === 's3') return await (await import('./s3.ts')).s3Source(source, { name, log }) // who has none needs none of it
    if (source.driver === 'remote') return remote(source, senders.remote(name, source), far)
    const branches = []
    for (const branch of source.branches) branches.push({ path: branch.path, source: await opened(branch.source) })
    return treeSource(branches)
  }

  /** Remembers it, for those who purge. */
  function far (source: OriginSource): OriginSource {
    distant.push(source)
    return source
  }

  function isFar (name: string): boolean {
    const source = config.sources[name]
    return source?.driver === 'tree' ? source.branches.some(branch => isFar(branch.source)) : source?.driver === 'http' || source?.driver === 'remote'
  }

  /** Siblings of files are not looked for where each look is a request. */
  function isBucket (name: string): boolean {
    const source = config.sources[name]
    return source?.driver === 'tree' ? source.branches.some(branch => isBucket(branch.source)) : source?.driver === 's3'
  }

  for (const name of Object.keys(config.sources)) await opened(name)

  return {
    of ({ source: name = '', precompressed: wanted, permission }) {
      const isNormal = permission === 'read-write'
      const id = `${name} ${wanted} ${isNormal}`
      let source = kept.get(id)
      if (source === undefined) {
        const plain = open.get(name) as Source
        // What lies elsewhere keeps itself, by what its server says.
        if (isFar(name)) return isNormal ? normalNames(plain) : plain
        const named = isNormal ? normalNames(plain) : plain
        // Who may write a sibling would write what it stands for, and one that stayed would be older than its file.
        kept.set(id, source = hotFiles.over(wanted && !isNormal && !isBucket(name) ? precompressed(named) : named))
      }
      return source
    },
    plain: ({ source: name = '' }) => open.get(name) as Source,
    writing: ({ source: name = '' }) => open.get(name)?.writing,
    named: name => open.get(name) as Source,
    doubt () {
      hotFiles.doubt()
      for (const source of distant) source.doubt()
    },
    async close () {
      await Promise.all([...open.values()].map(async source => await source.close()))
      await largeFiles.close()
    }
  }
}

function remote (config: RemoteConfig, servers: ReturnType<Senders['remote']>, far: (source: OriginSource) => OriginSource): Source {
  const source = far(remoteSource({ ...config, senderOf: servers.senderOf, rules: remoteRules(config.allow, config) }))
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
