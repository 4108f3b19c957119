import { relative, resolve, sep } from 'node:path'
import { textOf } from '../access/key-file.ts'
import { isDefault } from './delivery-relations.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { tlsMistakes, unread } from './named-files.ts'
import { Config } from './schema.ts'

/** What no schema can say about what is written, and about buckets. Reads the files that these name. */
export async function writingMistakes (config: Loose, base: string, shown: (value: unknown) => string): Promise<Mistake[]> {
  const sources = new Map(Object.entries(record(config.sources)).map(([name, source]) => [name, record(source)] as const))
  const buckets = [...sources].filter(([, { driver }]) => driver === 's3').map(([name]) => name)
  const { s3 } = record(record(record(config.images).cache))
  return [
    ...(await Promise.all([...sources].filter(([, { driver }]) => driver === 's3').map(async ([name, source]) => await bucketMistakes(source, spellPath(['sources', name]), base)))).flat(),
    ...(s3 === undefined ? [] : [...bucketName(record(s3).source, buckets, shown), ...variantMistakes(record(s3), sources)]),
    ...stateMistakes(record(config.uploads).directory, sources, base),
    ...list(config.mounts).map(record).flatMap((mount, place) => mountMistakes(mount, `mounts[${place}]`, sources))
  ]
}

/** What lies there is nobody's to read: below a source it is hidden only behind a name with a leading dot. */
function stateMistakes (directory: unknown, sources: ReadonlyMap<string, Loose>, base: string): Mistake[] {
  if (typeof directory !== 'string') return []
  const own = resolve(base, directory)
  return [...sources].flatMap(([name, { root }]) => {
    const below = typeof root === 'string' ? relative(resolve(base, root), own).split(sep) : ['..']
    const isShown = below[0] !== '..' && !below.some(segment => segment.startsWith('.'))
    return isShown ? [{ path: 'uploads.directory', message: `Expected a directory outside of those that are shown, but it lies below that of the source ${name}` }] : []
  })
}

function bucketName (name: unknown, buckets: readonly string[], shown: (value: unknown) => string): Mistake[] {
  return typeof name !== 'string' || buckets.includes(name) ? [] : [{ path: 'images.cache.s3.source', message: `Expected the name of a source with driver s3 but received ${shown(name)}${didYouMean(name, buckets)}` }]
}

/** Whoever sees variants as files, or may write them, would see and make what others are given. */
function variantMistakes ({ source, prefix }: Loose, sources: ReadonlyMap<string, Loose>): Mistake[] {
  const { bucket, endpoint } = sources.get(String(source)) ?? {}
  if (typeof prefix !== 'string') return []
  return [...sources].flatMap(([name, other]) => {
    const isSame = other.driver === 's3' && other.bucket === bucket && other.endpoint === endpoint && typeof other.prefix === 'string'
    const below = isSame && prefix.startsWith(other.prefix as string) ? prefix.slice((other.prefix as string).length) : undefined
    const isShown = below !== undefined && !below.split('/').some(segment => segment.startsWith('.'))
    const holds = isSame && (other.prefix as string).startsWith(prefix)
    return isShown || holds ? [{ path: 'images.cache.s3.prefix', message: `Expected a prefix apart from that of the source ${name}, or one that begins with a dot: variants are no files of it` }] : []
  })
}

async function bucketMistakes ({ accessKeyId, secretAccessKey, secretAccessKeyFile, sessionToken, ca, endpoint }: Loose, path: string, base: string): Promise<Mistake[]> {
  const secrets = [secretAccessKey, secretAccessKeyFile].filter(secret => secret !== undefined)
  const isPlain = typeof endpoint === 'string' && /^http:/i.test(endpoint)
  return [
    ...(accessKeyId !== undefined && secrets.length !== 1 ? [{ path: `${path}.secretAccessKey`, message: 'Expected one of secretAccessKey and secretAccessKeyFile, because accessKeyId tells who signs' }] : []),
    ...(accessKeyId === undefined && [...secrets, sessionToken].some(secret => secret !== undefined) ? [{ path: `${path}.accessKeyId`, message: 'Expected who signs, because there is a secret' }] : []),
    ...await fileMistakes(secretAccessKeyFile, `${path}.secretAccessKeyFile`, base),
    ...(isPlain && ca !== undefined ? [{ path: `${path}.ca`, message: 'Expected none, because the endpoint has no URL with https:' }] : []),
    ...await tlsMistakes({ ca }, path, base)
  ]
}

async function fileMistakes (file: unknown, path: string, base: string): Promise<Mistake[]> {
  if (typeof file !== 'string' || file === '') return []
  try {
    return await textOf(resolve(base, file)) === '' ? [{ path, message: 'Expected a file that holds a secret, but it is empty' }] : []
  } catch (error) {
    return [{ path, message: unread(resolve(base, file), error) }]
  }
}

function mountMistakes (mount: Loose, path: string, sources: ReadonlyMap<string, Loose>): Mistake[] {
  const { permission, delivery, source, writing, access } = mount
  if (delivery !== 'serve') return [] // told elsewhere
  if (permission !== 'read-write') return isDefault(writing, Config.properties.mounts.items.properties.writing) ? [] : [{ path: `${path}.writing`, message: 'Expected none, because permission is "read": it is for "read-write"' }]
  const isIdle = access === undefined && !isDefault(writing, Config.properties.mounts.items.properties.writing)
  const [images, { makeAhead }] = [record(mount.images), record(writing)]
  const presets = Object.keys(record(images.presets))
  return [
    ...(isIdle ? [{ path: `${path}.access`, message: 'Expected access, because there are rules for writing: where nothing says who may write, nobody may' }] : []),
    ...(typeof source === 'string' && sources.has(source) && !canBeWritten(source, sources) ? [{ path: `${path}.permission`, message: `Expected "read", because a source of driver ${String(sources.get(source)?.driver)} cannot be written to` }] : []),
    ...list(makeAhead).flatMap((name, index) => typeof name !== 'string' || presets.includes(name) ? [] : [{ path: `${path}.writing.makeAhead[${index}]`, message: `Expected the name of a preset in images.presets but received ${JSON.stringify(name)}${didYouMean(name, presets)}` }]),
    ...(images.mode === 'off' && list(makeAhead).length > 0 ? [{ path: `${path}.writing.makeAhead`, message: 'Expected none, because images.mode is "off"' }] : [])
  ]
}

/** A tree is written where one of its branches can be. */
function canBeWritten (name: string, sources: ReadonlyMap<string, Loose>, seen: readonly string[] = []): boolean {
  const source = sources.get(name) ?? {}
  if (source.driver !== 'tree') return source.driver === 'file' || source.driver === 's3'
  return list(source.branches).some(branch => {
    const { source: below } = record(branch)
    return typeof below === 'string' && !seen.includes(below) && canBeWritten(below, sources, [...seen, name])
  })
}
