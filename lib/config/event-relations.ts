import { resolve } from 'node:path'
import { textOf } from '../access/key-file.ts'
import { webhookSecretMistake } from '../events/signature.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { tlsMistakes, unread } from './named-files.ts'

/** What no schema can say about who is told of events. Reads the files with their secrets. */
export async function eventMistakes (config: Loose, { base, shown }: { readonly base: string, readonly shown: (value: unknown) => string }): Promise<Mistake[]> {
  const mounts = list(config.mounts).map(record)
  const webhooks = Object.entries(record(record(config.events).webhooks)).map(([name, webhook]) => [spellPath(['events', 'webhooks', name]), record(webhook)] as const)
  const mistakes: Mistake[] = []
  for (const [path, webhook] of webhooks) {
    mistakes.push(...urlMistakes(webhook.url, path, shown), ...await secretMistakes(webhook, path, base), ...await tlsMistakes({ ca: webhook.ca }, path, base), ...mountMistakes(list(webhook.mounts), mounts, `${path}.mounts`))
  }
  return mistakes
}

function urlMistakes (url: unknown, path: string, shown: (value: unknown) => string): Mistake[] {
  return typeof url !== 'string' || URL.canParse(url) ? [] : [{ path: `${path}.url`, message: `Expected a URL such as https://example.com/hooks/media but received ${shown(url)}` }]
}

/** Without a secret anybody could tell the receiver whatever they like: there is no webhook without one. */
async function secretMistakes ({ secret, secretFile }: Loose, path: string, base: string): Promise<Mistake[]> {
  if (secret === undefined && secretFile === undefined) return [{ path, message: 'Expected a secret or a secretFile: messages are signed' }]
  if (secret !== undefined && secretFile !== undefined) return [{ path, message: 'Expected either a secret or a secretFile but received both' }]
  const name = secret === undefined ? 'secretFile' : 'secret'
  let text = secret
  if (typeof secretFile === 'string' && secretFile !== '') {
    try {
      text = await textOf(resolve(base, secretFile))
    } catch (error) {
      return [{ path: `${path}.${name}`, message: unread(resolve(base, secretFile), error) }]
    }
  }
  const mistake = typeof text === 'string' ? webhookSecretMistake(text) : undefined // else it is told by the schema
  return mistake === undefined ? [] : [{ path: `${path}.${name}`, message: `Expected a secret that cannot be guessed, but it ${mistake}` }]
}

function mountMistakes (named: readonly unknown[], mounts: readonly Loose[], path: string): Mistake[] {
  const permissions = new Map(mounts.flatMap(({ prefix, permission }) => typeof prefix === 'string' ? [[withoutTrailingSlash(prefix), permission] as const] : []))
  return named.flatMap((prefix, index) => {
    if (typeof prefix !== 'string') return []
    const own = withoutTrailingSlash(prefix)
    if (!permissions.has(own)) return [{ path: `${path}[${index}]`, message: `Expected the prefix of a mount but received ${prefix}${didYouMean(own, [...permissions.keys()])}` }]
    return permissions.get(own) === 'read-write' ? [] : [{ path: `${path}[${index}]`, message: `Expected a mount that is read-write, but nothing is ever written to ${own}` }]
  })
}
