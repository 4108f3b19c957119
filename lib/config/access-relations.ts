import { namesIn } from '../access/policy.ts'
import { isReading } from '../access/requirement.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'

/** What stands around a configuration that is checked. */
export interface CheckOptions {
  /** The directory that relative paths start from. */
  readonly base: string
  /** How a value may be shown. */
  readonly shown: (value: unknown) => string
  /** Names of strategies that the app gives itself. */
  readonly ownStrategies: readonly string[]
}

/** What no schema can say about who may do what. Reads the files with keys. */
export async function accessMistakes (config: Loose, { base, shown, ownStrategies }: CheckOptions): Promise<Mistake[]> {
  const strategies = Object.entries(record(config.strategies)).map(([name, strategy]) => [name, record(strategy)] as const)
  const mounts = list(config.mounts).map(record)
  const prefixes = [...mounts, record(config.api)].flatMap(({ prefix }) => typeof prefix === 'string' ? [withoutTrailingSlash(prefix)] : [])
  const told = strategies.length === 0 ? [] : await (await import('./strategy-relations.ts')).strategiesMistakes(strategies, { base, prefixes }) // who has none needs nothing of them
  const configured = strategies.map(([name, { driver, mode }]) => [name, mode === 'report-only' ? 'report-only' : driver] as const)
  const drivers: Drivers = new Map([...configured, ...ownStrategies.map(name => [name, 'own'] as const)])
  return [
    ...told,
    ...nameMistakes(strategies.map(([name]) => name), ownStrategies),
    ...mounts.flatMap((mount, place) => ruleMistakes(mount, `mounts[${place}]`, drivers, shown)),
    ...mounts.flatMap((mount, place) => signerMistakes(record(mount.images), `mounts[${place}].images`, drivers, shown)),
    ...mounts.flatMap((mount, place) => limitMistakes(mount, `mounts[${place}]`)),
    ...config.api === undefined ? [] : [...ruleMistakes(record(config.api), 'api', drivers, shown), ...limitMistakes(record(config.api), 'api')]
  ]
}

/** Drivers by the names of strategies; `report-only` for those that let everybody in, `own` for those of the app. */
type Drivers = ReadonlyMap<string, unknown>

/** What rules mean something else by: no rule could name a strategy so. */
const ruleWords: ReadonlySet<string> = new Set(['public', 'nobody'])

function nameMistakes (configured: readonly string[], own: readonly string[]): Mistake[] {
  const places = [...configured.map(name => ['strategies', name] as const), ...own.map(name => ['ownStrategies', name] as const)]
  return [
    ...places.filter(([, name]) => ruleWords.has(name)).map(place => ({ path: spellPath([...place]), message: `Expected another name, because in rules ${place[1]} is no strategy` })),
    ...own.filter(name => configured.includes(name)).map(name => ({ path: spellPath(['ownStrategies', name]), message: 'Expected a name of its own, but the configuration has a strategy of this name' }))
  ]
}

function ruleMistakes ({ access, prefix, sharedCache }: Loose, path: string, drivers: Drivers, shown: (value: unknown) => string): Mistake[] {
  const { read, write, methods, except } = record(access)
  const closed = (reads: boolean): string | undefined => path === 'api' ? 'the API may not be for everybody' : reads ? undefined : 'whatever is no reading may not be for everybody'
  const rules: Array<[name: string, rule: unknown, closed: string | undefined]> = [['read', read, closed(true)], ['write', write, closed(false)], ...Object.entries(record(methods)).map(([method, rule]): [string, unknown, string | undefined] => [`methods.${method}`, rule, closed(isReading(method))])]
  const below = typeof prefix === 'string' && prefix !== '/' ? `${withoutTrailingSlash(prefix)}/` : '/'
  return [
    ...rules.filter(([, rule]) => rule !== undefined).flatMap(([name, rule, why]) => ruleMistake(rule, { path: `${path}.access.${name}`, closed: why, drivers, shown })),
    ...(record(access).passCredentials === true && sharedCache !== undefined ? [{ path: `${path}.access.passCredentials`, message: 'Expected false, because sharedCache keeps one answer for all, and the origin would answer one client' }] : []),
    ...list(except).flatMap((route, index) => typeof route === 'string' && !route.startsWith(below) ? [{ path: `${path}.access.except[${index}]`, message: `Expected a path below ${below} but received ${shown(route)}` }] : [])
  ]
}

/** @param place.closed why it may not be for everybody, where it may not */
function ruleMistake (rule: unknown, { path, closed, drivers, shown }: { path: string, closed: string | undefined, drivers: Drivers, shown: (value: unknown) => string }): Mistake[] {
  if (rule === 'public' && closed !== undefined) return [{ path, message: `Expected nobody or names of strategies, because ${closed}` }]
  try {
    const known = [...drivers.keys()]
    const names = namesIn(rule)
    return [
      ...names.filter(name => !drivers.has(name)).map(name => ({ path, message: `Expected the name of a strategy but received ${shown(name)}${didYouMean(name, known)}` })),
      ...(closed === undefined ? [] : names.filter(name => drivers.get(name) === 'report-only').map(name => ({ path, message: `Expected strategies that refuse, because ${closed}, but ${name} is in mode report-only` })))
    ]
  } catch (error) {
    return [{ path, message: `${(error as Error).message} but received ${shown(rule)}` }]
  }
}

function signerMistakes ({ mode, signedBy }: Loose, path: string, drivers: Drivers, shown: (value: unknown) => string): Mistake[] {
  const signers = [...drivers].filter(([, driver]) => driver === 'signed' || driver === 'report-only').map(([name]) => name)
  if (typeof signedBy === 'string' && !signers.includes(signedBy)) return [{ path: `${path}.signedBy`, message: `Expected the name of a strategy with driver signed but received ${shown(signedBy)}${didYouMean(signedBy, signers)}` }]
  return mode === 'signed' && signedBy === undefined && signers.length > 1 ? [{ path: `${path}.signedBy`, message: `Expected one of ${signers.join(', ')}, because there are several` }] : []
}

function limitMistakes ({ rateLimit, access }: Loose, path: string): Mistake[] {
  if (rateLimit === undefined) return []
  const { addresses, principals } = record(rateLimit)
  if (addresses === undefined && principals === undefined) return [{ path: `${path}.rateLimit`, message: 'Expected addresses or principals, because without them nothing is limited' }]
  return principals !== undefined && access === undefined ? [{ path: `${path}.rateLimit.principals`, message: 'Expected access too, because without it nobody is known' }] : []
}
