import { signerOf } from '../lib/access/mount-access.ts'
import { textOf } from '../lib/access/key-file.ts'
import { namesIn } from '../lib/access/policy.ts'
import { requirementFor } from '../lib/access/requirement.ts'
import type { SignedConfig } from '../lib/config/access-schema.ts'
import { loadConfig } from '../lib/config/load.ts'
import { didYouMean } from '../lib/config/mistakes.ts'
import { directoryConfig } from '../lib/config/options.ts'
import type { Config, MountConfig } from '../lib/config/schema.ts'
import { originalPath } from '../lib/image/places.ts'
import { decodePath, pathBelow } from '../lib/paths/request-path.ts'
import { signTarget, type SignOptions } from '../lib/signing/signer.ts'
import { readEnvironment } from './environment.ts'
import { readArguments, UsageError } from './usage.ts'

/** How long a URL holds where nothing is said, in seconds: long enough to be passed on, too short to be collected. */
const DEFAULT_LIFETIME_SECONDS = 3600

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `fastify-media sign PATH_OR_URL`: prints it with a signature that the servers of a configuration take. */
export default async function sign (args: string[]): Promise<void> {
  const { values, positional: target } = readArguments(args, {
    config: { type: 'string' },
    strategy: { type: 'string' },
    key: { type: 'string' },
    expires: { type: 'string' },
    'not-before': { type: 'string' },
    method: { type: 'string' },
    address: { type: 'string' }
  })
  if (target === undefined) throw new UsageError('Expected what to sign: a path that begins with a slash, or a URL')
  const environment = await readEnvironment()
  const { config } = await loadConfig({ cwd: process.cwd(), environment, file: values.config, fallback: directoryConfig(environment.MEDIA_ROOT) })
  const found = strategyOf(config, values.strategy)
  if (found === undefined) {
    console.error('The configuration has no strategy with the driver signed')
    process.exitCode = 1
    return
  }
  const [name, strategy] = found
  const key = keyOf(strategy, values.key)
  const now = Date.now()
  const options: SignOptions = {
    expires: expiryOf(values.expires, strategy, now),
    notBefore: values['not-before'] === undefined ? undefined : timeOf('--not-before', values['not-before'], now),
    method: values.method,
    address: values.address,
    now
  }
  const secret = key.secret ?? await textOf(key.secretFile as string)
  console.log(signed(target, { id: key.id, secret }, options))
  const { method = 'GET' } = values
  if (!isUsed(config, name, { target, method })) console.error(`Warning: no mount that answers ${method} for this path uses ${name}`)
}

function strategyOf (config: Readonly<Config>, asked: string | undefined): [name: string, strategy: SignedConfig] | undefined {
  const all = Object.entries(config.strategies).flatMap(([name, strategy]) => strategy.driver === 'signed' ? [[name, strategy] as [string, SignedConfig]] : [])
  const names = all.map(([name]) => name)
  if (asked === undefined && all.length > 1) throw new UsageError(`Expected --strategy, because there are several: ${names.join(', ')}`)
  if (asked === undefined) return all[0]
  const found = all.find(([name]) => name === asked)
  if (found === undefined) throw new UsageError(`Expected --strategy to be one with the driver signed but received ${asked}${didYouMean(asked, names)}`)
  return found
}

type Key = SignedConfig['keys'][number]

function keyOf ({ keys }: SignedConfig, asked: string | undefined): Key {
  if (asked === undefined) return keys.find(({ revoked }) => !revoked) as Key // a configuration without one does not hold
  const found = keys.find(({ id }) => id === asked)
  if (found === undefined) throw new UsageError(`Expected --key to be the id of a key but received ${asked}${didYouMean(asked, keys.map(({ id }) => id))}`)
  if (found.revoked) throw new UsageError(`Expected --key to be one whose URLs are taken, but ${asked} is revoked`)
  return found
}

function signed (...[target, key, options]: Required<Parameters<typeof signTarget>>): string {
  try {
    return signTarget(target, key, options)
  } catch (error) {
    throw new UsageError((error as Error).message) // it throws nothing else, and never shows the secret
  }
}

function expiryOf (text: string | undefined, { maxLifetimeSeconds, requireExpiry }: SignedConfig, now: number): number | undefined {
  const present = Math.floor(now / 1000)
  if (text === undefined) return present + Math.min(DEFAULT_LIFETIME_SECONDS, maxLifetimeSeconds)
  if (text === 'never' && !requireExpiry) return undefined
  if (text === 'never') throw new UsageError('Expected --expires to be a time, because URLs that never expire are refused (requireExpiry)')
  const expires = timeOf('--expires', text, now)
  if (expires > present + maxLifetimeSeconds) throw new UsageError(`Expected --expires to be within ${maxLifetimeSeconds} seconds, because what expires later is refused (maxLifetimeSeconds), but received ${text}`)
  return expires
}

/** In seconds since 1970. A time without its zone would be another one on another machine. */
function timeOf (option: string, text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return Math.floor(now / 1000) + Number(count) * (unitSeconds[unit] as number)
  const isDate = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text)
  const time = isDate ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new UsageError(`Expected ${option} to be like 90s, 15m, 1h, 7d, 2027-01-31 or 2027-01-31T12:00:00Z but received ${text}`)
  return Math.floor(time / 1000)
}

/** Whether the mount that a path belongs to asks a strategy. */
function isUsed (config: Readonly<Config>, name: string, { target, method }: { target: string, method: string }): boolean {
  const mount = mountOf(config, target)
  if (mount === undefined) return false
  const { access, delivery, images } = mount
  return namesIn(access === undefined ? 'public' : requirementFor(access, method)).includes(name) || (delivery === 'serve' && images.mode === 'signed' && signerOf(config, mount) === name)
}

function mountOf ({ mounts }: Readonly<Config>, target: string): MountConfig | undefined {
  const path = pathOf(target)
  const within = mounts.filter(({ prefix }) => path !== undefined && pathBelow(path, prefix === '/' ? '' : prefix) !== undefined)
  return within.toSorted((one, other) => other.prefix.length - one.prefix.length)[0]
}

/** Undefined for one that no mount answers. */
function pathOf (target: string): string | undefined {
  try {
    return decodePath(originalPath(target, { prefix: '', root: '' }))
  } catch {
    return undefined
  }
}
