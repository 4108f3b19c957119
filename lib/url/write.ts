import type { Sign } from '../signing/signer.ts'
import type { Values } from '../transform/transform.ts'
import { formatIpx } from './ipx.ts'
import { formatQuery } from './query.ts'
import { encode } from './spelling.ts'

/** How and from where pictures are asked for. */
export interface UrlOptions {
  /** What comes before the path, as it is to stand in the URL: an origin, a mount's prefix, or both. Nothing by default; a slash at its end counts for none. */
  base?: string
  /** `query` by default. */
  grammar?: 'query' | 'ipx'
  /** Where the grammar `ipx` begins below the base: `/_ipx` by default. */
  ipxPrefix?: string
  /** What stands before the path where signatures are verified, if a proxy in front changes that: `''` where it removes the base. The path of the base by default; an origin is never signed. */
  signedBase?: string
}

/** How far a URL is known. */
export interface UrlState {
  readonly path: string
  readonly options: Readonly<UrlOptions>
  readonly values: Values
  readonly preset?: string
  readonly download?: string
  readonly sign?: Sign
}

/** What is known as a URL. @throws {URIError} where the path, or a text, holds half a character */
export function write (state: UrlState, info: boolean): string {
  const { base = '', signedBase = base } = state.options
  const [start, signedStart] = [bare(base), bare(signedBase)]
  const rest = below(state, info)
  return state.sign === undefined ? `${start}${rest}` : `${start}${state.sign(`${signedStart}${rest}`).slice(signedStart.length)}`
}

/** What stands behind the base. */
function below ({ path, options, values, preset, download }: UrlState, info: boolean): string {
  const { grammar = 'query', ipxPrefix = '/_ipx' } = options
  const asked = { values, info, ...preset === undefined ? {} : { preset }, ...download === undefined ? {} : { download } }
  const file = `/${path.replace(/^\//, '').split('/').map(encode).join('/')}`
  if (grammar === 'ipx') return `${ipxPrefix}/${formatIpx(asked)}${file}`
  const query = formatQuery(asked)
  return `${file}${query === '' ? '' : `?${query}`}`
}

function bare (base: string): string {
  return base.endsWith('/') ? base.slice(0, -1) : base
}
