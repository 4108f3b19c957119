import type { Strategy } from '../access/access.ts'
import type { AccessConfig, Requirement, StrategyConfig } from '../config/access-schema.ts'
import { requirementFor } from '../access/requirement.ts'

/** How credentials are sent, for the document of the API (OpenAPI 3.1 §4.8.27). */
export type SecurityScheme =
  { readonly type: 'http', readonly scheme: 'bearer', readonly bearerFormat?: 'JWT', readonly description: string } |
  { readonly type: 'apiKey', readonly in: 'header' | 'query', readonly name: string, readonly description: string } |
  { readonly type: 'mutualTLS', readonly description: string }

/** One of several ways to be let in: all of these schemes, with the scopes that each needs (OpenAPI 3.1 §4.8.30). */
export type SecurityRequirement = Readonly<Record<string, readonly string[]>>

/** What the document needs of the strategies. */
export interface StrategiesTold {
  /** As configured: those of the app's own are none of these. */
  readonly configs: Readonly<Record<string, StrategyConfig>>
  readonly strategies: ReadonlyMap<string, Strategy>
}

/**
 * The schemes of a strategy, by their names, of which one is enough. None where it looks at what nobody sends, such
 * as an address.
 */
export function schemesOf (name: string, { configs, strategies }: StrategiesTold): Record<string, SecurityScheme> {
  const config = configs[name]
  const id = schemeId(name)
  switch (config?.driver) {
    case 'jwt': return { [id]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A JSON Web Token' } }
    case 'apiKey': return {
      [id]: { type: 'apiKey', in: 'header', name: config.header, description: 'An API key' },
      ...config.bearer ? { [`${id}.bearer`]: { type: 'http', scheme: 'bearer', description: 'The same API key' } } : {}
    }
    case 'signed': return { [id]: { type: 'apiKey', in: 'query', name: 'sig', description: 'A signature, as the last parameter of the URL' } }
    case 'mtls': return { [id]: { type: 'mutualTLS', description: 'A client certificate' } }
    case 'ip': return {}
    default: {
      const { fields = [] } = strategies.get(name) ?? {}
      return Object.fromEntries(fields.map((field, place) => [place === 0 ? id : `${id}.${schemeId(field)}`, { type: 'apiKey', in: 'header', name: field, description: `What ${config === undefined ? name : 'the policy service'} decides by` }]))
    }
  }
}

/** Names of components have few characters (OpenAPI 3.1 §4.8.7); an app may name its strategies otherwise. */
function schemeId (name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]/g, '_')
}

/** Every way to be let in for a method, as the rules tell; an empty one where nothing has to be sent. */
export function securityFor (method: string, access: AccessConfig, told: StrategiesTold): SecurityRequirement[] {
  const scopes = method === 'GET' ? access.readScopes : access.writeScopes
  const ways = alternatives(requirementFor(access, method)).flatMap(names => {
    return names.reduce<SecurityRequirement[]>((before, name) => {
      const schemes = Object.entries(schemesOf(name, told))
      if (schemes.length === 0) return before
      // Scopes are what tokens and keys have; others stand without.
      return before.flatMap(way => schemes.map(([id, { type }]) => Object.assign({}, way, { [id]: type === 'http' ? [...scopes] : [] })))
    }, [{}])
  })
  return [...new Map(ways.map(way => [JSON.stringify(way), way])).values()]
}

/** The names of a requirement, each list of which is enough. `nobody` has none. */
function alternatives (requirement: Requirement | { readonly all: readonly unknown[] } | { readonly any: readonly unknown[] }): string[][] {
  if (requirement === 'nobody') return []
  if (typeof requirement === 'string') return [[requirement]]
  if ('all' in requirement) return requirement.all.reduce<string[][]>((before, member) => before.flatMap(names => alternatives(member as Requirement).map(more => names.concat(more))), [[]])
  return ('any' in requirement ? requirement.any : requirement).flatMap(member => alternatives(member as Requirement))
}
