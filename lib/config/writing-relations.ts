import { resolve } from 'node:path'
import { textOf } from '../access/key-file.ts'
import { isDefault } from './delivery-relations.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { tlsMistakes, unread } from './named-files.ts'
import { Writing } from './writing-schema.ts'

/** What no schema can say about what is written, and about buckets. Reads the files that these name. */
export async function writingMistakes (config: Loose, base: string, shown: (value: unknown) => string): Promise<Mistake[]> {
  const sources = new Map(Object.entries(record(config.sources)).map(([name, source]) => [name, record(source)] as const))
  const buckets = [...sources].filter(([, { driver }]) => driver === 's3').map(([name]) => name)
  const { s3 } = record(record(record(config.images).cache))
  return [
    ...(await Promise.all([...sources].filter(([, { driver }]) => driver === 's3').map(async ([name, source]) => await bucketMistakes(source, spellPath(['sources', name]), base)))).flat(),
    ...(s3 === undefined ? [] : bucketName(record(s3).source, buckets, shown)),
    ...list(config.mounts).map(record).flatMap((mount, place) => mountMistakes(mount, `mounts[${place}]`, sources))
  ]
}

function bucketName (name: unknown, buckets: readonly string[], shown: (value: unknown) => string): Mistake[] {
  return typeof name !== 'string' || buckets.includes(name) ? [] : [{ path: 'images.cache.s3.source', message: `Expected the name of a source with driver s3 but received ${shown(name)}${didYouMean(name, buckets)}` }]
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
  const { permission, delivery, source, writing } = mount
  if (delivery !== 'serve') return [] // told elsewhere
  if (permission !== 'read-write') return isDefault(writing, Writing) ? [] : [{ path: `${path}.writing`, message: 'Expected none, because permission is "read": it is for "read-write"' }]
  const [images, { makeAhead }] = [record(mount.images), record(writing)]
  const presets = Object.keys(record(images.presets))
  return [
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
