import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { cacheControl } from '../http/cache-control.ts'
import { trustRanges } from '../http/forwarded.ts'
import { originMatchers } from '../http/origin.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { admit } from '../transform/limits.ts'
import { readPreset } from '../transform/presets.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { attempt, list, record, type Loose } from './loose.ts'
import { accessMistakes, type CheckOptions } from './access-relations.ts'
import { upstreamMistakes } from './upstream-relations.ts'
import { eventMistakes } from './event-relations.ts'
import { writingMistakes } from './writing-relations.ts'

/** Prefixes at which the root app has routes of its own. */
const takenPrefixes = new Set(['/health/live', '/health/ready', '/_media/listing'])

/**
 * What no schema can say: names that must exist, values that exclude each other, texts with a
 * grammar of their own, directories. Reads what is readable, so that these mistakes are told
 * together with those of the schema.
 *
 * @param input a configuration with its defaults, which may be wrong anywhere
 */
export async function relationMistakes (input: unknown, options: CheckOptions): Promise<Mistake[]> {
  const { base, shown } = options
  const config = record(input)
  const sources = Object.entries(record(config.sources)).map(([name, source]) => [name, record(source)] as const)
  const names = sources.map(([name]) => name)
  const needSource = (name: unknown, path: string): Mistake[] => {
    return typeof name !== 'string' || names.includes(name) ? [] : [{ path, message: `Expected the name of a source but received ${shown(name)}${didYouMean(name, names)}` }]
  }
  const mounts = list(config.mounts).map(record)
  return [
    ...list(config.trustedProxies).flatMap((range, place) => attempt(`trustedProxies[${place}]`, range, text => trustRanges([text]))),
    ...sources.flatMap(([name, source]) => treeMistakes(name, source, new Map(sources), needSource)),
    ...(await Promise.all(sources.map(async ([name, source]) => await rootMistakes(name, source, base, shown)))).flat(),
    ...await upstreamMistakes(config, base, shown),
    ...await accessMistakes(config, options),
    ...await writingMistakes(config, base, shown),
    ...await eventMistakes(config, { base, shown }),
    ...mounts.flatMap((mount, place) => needSource(mount.source, `mounts[${place}].source`)),
    ...mounts.flatMap((_mount, place) => prefixMistakes(mounts, place)),
    ...apiMistakes(record(config.api), mounts),
    ...mounts.flatMap((mount, place) => policyMistakes(mount, `mounts[${place}]`)),
    ...mounts.flatMap(({ images }, place) => imageMistakes(record(images), `mounts[${place}].images`, needSource))
  ]
}

function treeMistakes (name: string, source: Loose, sources: ReadonlyMap<string, Loose>, needSource: (name: unknown, path: string) => Mistake[]): Mistake[] {
  const path = spellPath(['sources', name, 'branches'])
  const missing = list(source.branches).flatMap((branch, place) => needSource(record(branch).source, `${path}[${place}].source`))
  return reaches(sources, name, name) ? [...missing, { path, message: 'Expected no branch that leads back to the tree itself' }] : missing
}

function reaches (sources: ReadonlyMap<string, Loose>, from: string, to: string, seen = new Set<string>()): boolean {
  if (seen.has(from)) return false
  seen.add(from)
  return list(sources.get(from)?.branches).some(branch => {
    const { source } = record(branch)
    return typeof source === 'string' && (source === to || reaches(sources, source, to, seen))
  })
}

async function rootMistakes (name: string, { root }: Loose, base: string, shown: (value: unknown) => string): Promise<Mistake[]> {
  if (typeof root !== 'string' || root === '') return []
  const directory = resolve(base, root)
  const found = await stat(directory).then(
    stats => stats.isDirectory() ? undefined : 'which is no directory',
    (error: NodeJS.ErrnoException) => reasons[error.code ?? ''] ?? `which cannot be read: ${error.code}`
  )
  return found === undefined ? [] : [{ path: spellPath(['sources', name, 'root']), message: `Expected a directory but received ${shown(directory)}, ${found}` }]
}

const reasons: Record<string, string> = {
  ENOENT: 'which does not exist',
  ENOTDIR: 'which does not exist',
  EACCES: 'which the server may not look at'
}

function prefixMistakes (mounts: readonly Loose[], place: number): Mistake[] {
  const prefixes = mounts.map(({ prefix }) => typeof prefix === 'string' ? withoutTrailingSlash(prefix) : undefined)
  const prefix = prefixes[place]
  if (prefix === undefined) return []
  const first = prefixes.indexOf(prefix)
  const taken = takenPrefixes.has(prefix) ? 'the server\'s own' : `that of mounts[${first}]`
  const free = first === place && !takenPrefixes.has(prefix)
  return free ? [] : [{ path: `mounts[${place}].prefix`, message: `Expected a prefix of its own, but ${prefix} is ${taken}` }]
}

/** All below the prefix of the API is the API's. */
function apiMistakes ({ prefix }: Loose, mounts: readonly Loose[]): Mistake[] {
  if (typeof prefix !== 'string') return []
  const own = `${withoutTrailingSlash(prefix)}/`.replace('//', '/')
  const others = [...mounts.map((mount, place) => [mount.prefix, `mounts[${place}]`] as const), ...[...takenPrefixes].map(taken => [taken, 'the server itself'] as const)]
  const held = others.find(([other]) => typeof other === 'string' && `${withoutTrailingSlash(other)}/`.replace('//', '/').startsWith(own))
  return held === undefined ? [] : [{ path: 'api.prefix', message: `Expected a prefix below which nothing else is, but ${held[0] as string} is that of ${held[1]}` }]
}

function policyMistakes (mount: Loose, path: string): Mistake[] {
  const cors = record(mount.cors)
  const cache = record(mount.cache)
  const origins = list(cors.origins)
  return [
    ...(cors.credentials === true && origins.includes('*') ? [{ path: `${path}.cors.credentials`, message: 'Expected false, because origins holds "*": credentials need exact origins' }] : []),
    ...(mount.trustActiveContent === true && mount.permission === 'read-write' ? [{ path: `${path}.trustActiveContent`, message: 'Expected false, because clients may write to this mount' }] : []),
    ...origins.flatMap((origin, place) => attempt(`${path}.cors.origins[${place}]`, origin, text => originMatchers([text]))),
    ...attempt(`${path}.cache.default`, cache.default, cacheControl),
    ...Object.entries(record(cache.types)).flatMap(([type, rule]) => attempt(`${path}.cache.types[${JSON.stringify(type)}]`, rule, cacheControl))
  ]
}

function imageMistakes (images: Loose, path: string, needSource: (name: unknown, path: string) => Mistake[]): Mistake[] {
  const presets = Object.entries(record(images.presets))
  return [
    ...presets.flatMap(([name, query]) => attempt(`${path}.presets.${name}`, query, text => admitPreset(text, images))),
    ...sideMistakes(list(images.widths), record(images.limits).dimension, `${path}.widths`),
    ...Object.entries(record(images.overlays)).flatMap(([name, overlay]) => needSource(record(overlay).source, `${path}.overlays.${name}.source`)),
    ...(images.mode === 'presets' && presets.length === 0 ? [{ path: `${path}.presets`, message: 'Expected at least one preset, because mode "presets" makes nothing else' }] : [])
  ]
}

/** Throws where a preset is none, or could never be made. */
function admitPreset (text: string, images: Loose): void {
  const values = readPreset(text)
  const { dimension, outputPixels } = record(images.limits)
  if (typeof dimension !== 'number' || typeof outputPixels !== 'number') return // told elsewhere
  admit({ values: {}, preset: 'preset', info: false }, { mode: 'open', widths: [], qualities: [], presets: { preset: values }, overlays: new Set(Object.keys(record(images.overlays))), maxOperations: 1, maxDimension: dimension, maxOutputPixels: outputPixels })
}

function sideMistakes (widths: readonly unknown[], dimension: unknown, path: string): Mistake[] {
  const tooLarge = widths.length > 0 && typeof dimension === 'number' && widths.every(width => typeof width === 'number' && width > dimension)
  return tooLarge ? [{ path, message: `Expected a width that limits.dimension allows: at most ${String(dimension)}` }] : []
}
