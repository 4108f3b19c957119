import { resolve } from 'node:path'
import { addressMistakes } from '../access/addresses.ts'
import { apiKeyMistakes } from '../access/api-keys.ts'
import { certificateMistakes } from '../access/client-certificate.ts'
import { forwardMistakes } from '../access/forward.ts'
import { jwtMistakes } from '../access/jwt-keys.ts'
import { textOf } from '../access/key-file.ts'
import { signedMistakes } from '../access/signed.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { tlsMistakes, unread } from './named-files.ts'

/** What is wrong with strategies by themselves. Reads the files with their keys. */
export async function strategiesMistakes (strategies: ReadonlyArray<readonly [name: string, strategy: Loose]>, around: { readonly base: string, readonly prefixes: readonly string[] }): Promise<Mistake[]> {
  return (await Promise.all(strategies.map(async ([name, strategy]) => await strategyMistakes(strategy, { path: spellPath(['strategies', name]), ...around })))).flat()
}

interface Place {
  readonly path: string
  readonly base: string
  /** Those of the mounts. */
  readonly prefixes: readonly string[]
}

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
    case 'ip': return at(addressMistakes(strategy))
    default: return [] // told by the schema
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
