import { resolve } from 'node:path'
import { addressMistakes } from '../access/addresses.ts'
import { apiKeyMistakes } from '../access/api-keys.ts'
import { certificateMistakes } from '../access/client-certificate.ts'
import { forwardMistakes } from '../access/forward.ts'
import { jwtMistakes } from '../access/jwt-keys.ts'
import { textOf } from '../access/key-file.ts'
import { namesIn } from '../access/policy.ts'
import { signedMistakes } from '../access/signed.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { tlsMistakes, unread } from './named-files.ts'

/** What no schema can say about who may do what. Reads the files with keys. */
export async function accessMistakes (config: Loose, base: string, shown: (value: unknown) => string): Promise<Mistake[]> {
  const strategies = Object.entries(record(config.strategies)).map(([name, strategy]) => [name, record(strategy)] as const)
  const mounts = list(config.mounts).map(record)
  const prefixes = mounts.flatMap(({ prefix }) => typeof prefix === 'string' ? [withoutTrailingSlash(prefix)] : [])
  const told = await Promise.all(strategies.map(async ([name, strategy]) => await strategyMistakes(strategy, { path: spellPath(['strategies', name]), base, prefixes })))
  const drivers = new Map(strategies.map(([name, { driver }]) => [name, driver]))
  return [
    ...told.flat(),
    ...mounts.flatMap((mount, place) => ruleMistakes(mount, `mounts[${place}]`, drivers, shown)),
    ...mounts.flatMap((mount, place) => signerMistakes(record(mount.images), `mounts[${place}].images`, drivers, shown)),
    ...mounts.flatMap((mount, place) => limitMistakes(mount, `mounts[${place}]`))
  ]
}

interface Place { readonly path: string, readonly base: string, readonly prefixes: readonly string[] }

async function strategyMistakes (strategy: Loose, place: Place): Promise<Mistake[]> {
  const at = (mistakes: readonly Mistake[]): Mistake[] => mistakes.map(({ path, message }) => ({ path: `${place.path}.${path}`, message }))
  switch (strategy.driver) {
    case 'jwt': {
      const { text, mistakes } = await keyText(strategy.key, strategy.keyFile, 'keyFile', place)
      return [...mistakes, ...mistakes.length > 0 ? [] : jwtMistakes(strategy, place.path, text)]
    }
    case 'signed': {
      const keys = await Promise.all(list(strategy.keys).map(record).map(async ({ secret, secretFile }, index) => await keyText(secret, secretFile, `keys[${index}].secretFile`, place)))
      return [...keys.flatMap(({ mistakes }) => mistakes), ...at(signedMistakes(strategy, keys.map(({ text }) => text)))]
    }
    case 'apiKey': return at([...apiKeyMistakes(strategy), ...list(strategy.keys).flatMap((key, index) => scopeMistakes(record(key), `keys[${index}].mounts`, place.prefixes))])
    case 'forward': return [...forwardMistakes(strategy, place.path), ...await tlsMistakes({ ca: strategy.ca }, place.path, place.base)]
    case 'mtls': return at(certificateMistakes(strategy))
    default: return at(addressMistakes(strategy))
  }
}

/** A key that is written down, or that of a file. */
async function keyText (written: unknown, file: unknown, name: string, { path, base }: Place): Promise<{ text: string | undefined, mistakes: Mistake[] }> {
  if (typeof file !== 'string' || file === '') return { text: typeof written === 'string' ? written : undefined, mistakes: [] }
  try {
    return { text: await textOf(resolve(base, file)), mistakes: [] }
  } catch (error) {
    return { text: undefined, mistakes: [{ path: `${path}.${name}`, message: unread(resolve(base, file), error) }] }
  }
}

function scopeMistakes ({ mounts }: Loose, path: string, prefixes: readonly string[]): Mistake[] {
  return list(mounts).flatMap((prefix, index) => {
    return typeof prefix !== 'string' || prefixes.includes(withoutTrailingSlash(prefix)) ? [] : [{ path: `${path}[${index}]`, message: `Expected the prefix of a mount but received ${prefix}${didYouMean(prefix, prefixes)}` }]
  })
}

function ruleMistakes ({ access, prefix }: Loose, path: string, drivers: ReadonlyMap<string, unknown>, shown: (value: unknown) => string): Mistake[] {
  const { read, write, methods, except } = record(access)
  const rules: Array<[name: string, rule: unknown, reads: boolean]> = [['read', read, true], ['write', write, false], ...Object.entries(record(methods)).map(([method, rule]): [string, unknown, boolean] => [`methods.${method}`, rule, ['GET', 'HEAD', 'OPTIONS'].includes(method)])]
  const below = typeof prefix === 'string' && prefix !== '/' ? `${withoutTrailingSlash(prefix)}/` : '/'
  return [
    ...rules.filter(([, rule]) => rule !== undefined).flatMap(([name, rule, reads]) => ruleMistake(rule, { path: `${path}.access.${name}`, reads, drivers, shown })),
    ...list(except).flatMap((route, index) => typeof route === 'string' && !route.startsWith(below) ? [{ path: `${path}.access.except[${index}]`, message: `Expected a path below ${below} but received ${shown(route)}` }] : [])
  ]
}

function ruleMistake (rule: unknown, { path, reads, drivers, shown }: { path: string, reads: boolean, drivers: ReadonlyMap<string, unknown>, shown: (value: unknown) => string }): Mistake[] {
  if (rule === 'public' && !reads) return [{ path, message: 'Expected nobody or names of strategies, because whatever is no reading may not be for everybody' }]
  try {
    const names = [...drivers.keys()]
    return namesIn(rule).filter(name => !drivers.has(name)).map(name => ({ path, message: `Expected the name of a strategy but received ${shown(name)}${didYouMean(name, names)}` }))
  } catch (error) {
    return [{ path, message: `${(error as Error).message} but received ${shown(rule)}` }]
  }
}

function signerMistakes ({ mode, signedBy }: Loose, path: string, drivers: ReadonlyMap<string, unknown>, shown: (value: unknown) => string): Mistake[] {
  const signers = [...drivers].filter(([, driver]) => driver === 'signed').map(([name]) => name)
  if (typeof signedBy === 'string' && !signers.includes(signedBy)) return [{ path: `${path}.signedBy`, message: `Expected the name of a strategy with driver signed but received ${shown(signedBy)}${didYouMean(signedBy, signers)}` }]
  return mode === 'signed' && signedBy === undefined && signers.length > 1 ? [{ path: `${path}.signedBy`, message: `Expected one of ${signers.join(', ')}, because there are several` }] : []
}

function limitMistakes ({ rateLimit, access }: Loose, path: string): Mistake[] {
  if (rateLimit === undefined) return []
  const { addresses, principals } = record(rateLimit)
  if (addresses === undefined && principals === undefined) return [{ path: `${path}.rateLimit`, message: 'Expected addresses or principals, because without them nothing is limited' }]
  return principals !== undefined && access === undefined ? [{ path: `${path}.rateLimit.principals`, message: 'Expected access too, because without it nobody is known' }] : []
}
