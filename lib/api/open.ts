import { mountAccess, type MountAccess, type MountOrder } from '../access/mount-access.ts'
import { requirementFor } from '../access/requirement.ts'
import type { PurgeOutcome, Purges } from '../cache/purges.ts'
import type { Config, MountConfig } from '../config/schema.ts'
import type { ApiConfig } from '../config/writing-schema.ts'
import { placesOf } from '../image/places.ts'
import type { Images } from '../image/registry.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import { decodePath } from '../paths/request-path.ts'
import type { RateCounter } from '../rate/counter.ts'
import { limitsOf, type MountLimits } from '../rate/mount-limits.ts'
import type { Sources } from '../sources/registry.ts'
import type { Writing } from '../writing/open.ts'
import { ApiMounts, type ServedFiles } from './api-mounts.ts'
import type { DocumentParts } from './document.ts'
import type { Permissions } from './permissions.ts'
import { UrlSigner } from './url-signer.ts'

/** What the routes of the API need. */
export interface Api {
  readonly mounts: ApiMounts
  readonly signer: UrlSigner
  /** Whether there is a page with its document. */
  readonly hasDocs: boolean
  readonly document: Omit<DocumentParts, 'strategies'>
  /** Has caches forget what a tag covers. @throws {MediaError} `unavailable` */
  readonly purge: (tag: string) => Promise<PurgeOutcome>
}

/** What handlers need. */
export interface ApiTools extends Api {
  readonly permissions: Permissions
}

/** The API as one more place beside those of mounts: the same hooks in the same order. */
export interface ApiParts {
  readonly delivery: 'api'
  readonly security: { readonly resourcePolicy: 'same-origin', readonly sandbox: 'active', readonly passes: 'none', readonly policy: string }
  readonly cache: { readonly default: string, readonly types: Record<string, never>, readonly passes: false }
  readonly limits: MountLimits
  readonly plugins: readonly never[]
  readonly order: MountOrder
  authAt (prefix: string): MountAccess
  readonly api: Api
}

/** What stands for a mount's configuration. */
export interface ApiPlace {
  readonly delivery: 'api'
  readonly prefix: string
  /** Its answers have entity tags as listings do. */
  readonly listing: true
  readonly cors: undefined
}

/** What stands around it. */
export interface ApiSurroundings {
  /** The prefix of the app within its host. */
  readonly root: string
  readonly counter: RateCounter | undefined
  readonly sources: Sources
  readonly images: Images
  readonly writing: Writing | undefined
  readonly httpCache: { readonly purges: Purges } | undefined
}

/**
 * What the page of the document may load: its own style, script and pictures. Swagger UI styles elements as it goes,
 * and draws pictures out of its style.
 */
const DOCS_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Opens the API of a configuration. @throws where a file with a signing key is gone since it was checked */
export async function openApi (config: Readonly<Config>, api: ApiConfig, surroundings: ApiSurroundings): Promise<{ place: ApiPlace, parts: ApiParts }> {
  const { root, counter } = surroundings
  const { access, rateLimit } = api
  const prefix = withoutTrailingSlash(api.prefix)
  const mounts = config.mounts.map(mount => {
    const own = root + (mount.prefix === '/' ? '' : mount.prefix)
    return { config: mount, prefix: own, access: mountAccess(config, mount, { prefix: own, root }), files: filesOf(mount, own, surroundings) }
  })
  return {
    place: { delivery: 'api', prefix, listing: true, cors: undefined },
    parts: {
      delivery: 'api',
      security: { resourcePolicy: 'same-origin', sandbox: 'active', passes: 'none', policy: DOCS_POLICY },
      cache: { default: 'no-cache', types: {}, passes: false },
      // What is told of a picture may have to be made, as a variant.
      limits: limitsOf({ prefix, rateLimit, delivery: 'serve', images: { mode: 'open' } }, counter),
      plugins: [],
      order: {
        mount: prefix,
        others: placesOf(config.mounts).map(place => root + place.prefix),
        except: access.except.map(path => root + path),
        isPublic: method => requirementFor(access, method) === 'public'
      },
      authAt: () => ({ access, mount: prefix, isReadOnly: false, isGateway: false, passes: false, coversAll: true, pathOf: decodePath, others: [], signedBy: undefined, mayNeedSignature: () => false }),
      api: {
        mounts: new ApiMounts(mounts, { root, own: root + prefix }),
        signer: await UrlSigner.open(config),
        hasDocs: api.docs,
        document: { access, configs: config.strategies, isLimited: rateLimit !== undefined },
        purge: async tag => await purge(tag, config, surroundings)
      }
    }
  }
}

/** Names that are whole URLs are no paths: what is behind them is not looked at here. */
function filesOf (mount: MountConfig, prefix: string, { root, sources, images, writing }: ApiSurroundings): ServedFiles | undefined {
  if (mount.delivery !== 'serve') return undefined
  const source = sources.of(mount)
  return source.keyOf === undefined ? { source, images: images.at(mount, prefix, root).images, writing: writing?.at(mount, prefix) } : undefined
}

/** What origins answered goes first: of it variants are made. Where nothing is kept, nothing is opened for it. */
async function purge (tag: string, { mounts }: Readonly<Config>, { sources, images, httpCache }: ApiSurroundings): Promise<PurgeOutcome> {
  sources.doubt()
  const makesVariants = mounts.some(mount => mount.delivery === 'serve' && mount.images.mode !== 'off')
  const outcomes = [await httpCache?.purges.purge(tag), makesVariants ? await images.purge(tag) : undefined]
  return { behind: [...new Set(outcomes.flatMap(outcome => outcome?.behind ?? []))] }
}
