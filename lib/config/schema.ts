import Type, { type Static } from 'typebox'
import { hotFileDefaults } from '../cache/hot-files.ts'
import { largeFileDefaults } from '../sources/large-files.ts'
import { Access, MountPlugins, Plugins, RateLimit, RateLimits, Strategies, type StrategyInput } from './access-schema.ts'
import { Images, ImageWork } from './image-schema.ts'
import { Bytes, Count, defaulted, FilePath, Flag, Like, List, Milliseconds, Prefix, Rule, Section, strict, Words, type Input } from './schema-parts.ts'
import { HttpCache, HttpSource, mountUpstream, RemoteSource, Upstream, Upstreams } from './upstream-schema.ts'
import { Api, Events, S3Source, Uploads, Writing } from './writing-schema.ts'

/**
 * The one truth about the configuration: types, defaults, checks, the table in
 * `docs/configuration.md`, `.env.example` and `media.config.schema.json` come from here.
 * `env` names the environment variable that sets a scalar.
 */

/** One name of a file, with no way up or down the tree in it. */
const Name = () => Like('index.html', '^(?!\\.{1,2}$)[^/\\\\\\x00]+$')
const Token = (example: string) => Like(example, '^[A-Za-z0-9-]+$')

const Server = Section('The standalone server. A host application decides these for itself', {
  host: defaulted(Type.String({ description: 'The address to listen on. `localhost` is both loopback addresses, `0.0.0.0` every IPv4 one', minLength: 1, env: 'HOST' }), 'localhost'),
  port: defaulted(Type.Integer({ description: 'The port to listen on; 0 takes a free one', minimum: 0, maximum: 65_535, env: 'PORT' }), 3000),
  idleTimeoutMs: Milliseconds('How long a connection may make no progress, in either direction, until it is closed; 0 is for ever', 120_000),
  shutdownDelayMs: Milliseconds('How long after SIGTERM readiness fails while requests are still taken, so that a load balancer can turn away', 1000),
  shutdownDeadlineMs: Milliseconds('How long after that the requests in flight may take', 30_000)
})

const Log = Section('What is written down', {
  level: Words('The least severe line that is written', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info', { env: 'LOG_LEVEL' }),
  file: Type.Optional(Type.String({ description: 'The file that log lines are appended to; standard output without it', minLength: 1, env: 'LOG_FILE' })),
  requests: Flag('One line for each request', true, { env: 'LOG_REQUESTS' }),
  serverTiming: Flag('Answers carry `Server-Timing`: how long the server took, and what its cache did', false, { env: 'SERVER_TIMING' })
})

const HotFiles = Section('Small files that are asked for often, kept finished in memory', {
  maxFileBytes: Bytes('The largest file that is kept', hotFileDefaults.maxFileBytes),
  totalBytes: Bytes('What is kept altogether; the file unused for the longest goes first', hotFileDefaults.totalBytes),
  maxFiles: Count('The most files that are kept', hotFileDefaults.maxFiles, 10_000_000),
  revalidateMs: Milliseconds('How long a file is believed unchanged until the source is asked again', hotFileDefaults.revalidateMs),
  staleMs: Milliseconds('How long after that it is still answered from memory while the source is asked (stale-while-revalidate): for sources that answer slowly', hotFileDefaults.staleMs)
})

const LargeFiles = Section('Files sent from disk, chunk by chunk', {
  poolBytes: Bytes('Buffers that files are read into, shared by all who read', largeFileDefaults.poolBytes),
  maxDescriptors: Count('The most descriptors that stay open while nobody reads', largeFileDefaults.maxDescriptors, 1_000_000),
  descriptorIdleMs: Milliseconds('How long an unread file stays open', largeFileDefaults.descriptorIdleMs, 10)
})

const FileSource = Type.Object({
  driver: Type.Literal('file', { description: 'The kind of source: a directory' }),
  root: Type.String({ description: 'The directory: absolute, or from the configuration file\'s own', minLength: 1 }),
  symlinks: Words('`inside` follows links that stay below the root, `deny` none, `follow` all', ['inside', 'deny', 'follow'], 'inside'),
  visibleDotNames: List('Names with a leading dot that are shown all the same, such as `.well-known`', Like('.well-known', '^\\.(?!\\.?$)[^/\\\\\\x00]+$'), []),
  caseInsensitive: Flag('Whether `Cat.JPG` finds `cat.jpg` where the exact name is missing', false)
}, { ...strict, description: 'A directory' })

const TreeSource = Type.Object({
  driver: Type.Literal('tree', { description: 'The kind of source: other sources joined' }),
  branches: Type.Array(Type.Object({
    path: defaulted(Prefix('Where it hangs in the tree'), '/'),
    source: Type.String({ description: 'The name of the source that hangs there', minLength: 1 })
  }, strict), { description: 'Deeper paths are looked at first, then in this order', minItems: 1 })
}, { ...strict, description: 'Several sources joined into one tree' })

const Cors = Type.Object({
  origins: Type.Array(Like('https://example.com', '^(\\*|https?://(\\*\\.)?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*(:\\d{1,5})?)$'), { description: 'Exact origins, `https://*.example.com` for every subdomain, or `*` for all', minItems: 1 }),
  credentials: Flag('Whether cookies and authorization may come along; never together with `*`', false),
  methods: List('Methods that a preflight allows', Like('GET', '^[A-Z-]+$'), ['GET', 'HEAD']),
  allowedHeaders: Type.Optional(Type.Array(Token('Content-Type'), { description: 'Request headers that a preflight allows; without it, those it asks for' })),
  exposedHeaders: List('Answer headers that scripts may read', Token('ETag'), ['Accept-Ranges', 'Content-Encoding', 'Content-Length', 'Content-Range', 'ETag']),
  maxAgeSeconds: defaulted(Type.Integer({ description: 'How long a browser may keep a preflight\'s answer', minimum: 0, maximum: 86_400 }), 7200),
  timingAllowOrigin: Flag('Whether the allowed origins may read timings (`Timing-Allow-Origin`)', false)
}, { ...strict, description: 'Which other sites\' scripts may read the mount. Without it, none' })

/** RFC 6838 §4.2. */
const typeName = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*'

const Cache = Section('How long answers may be kept: `30d`, or words of `Cache-Control`', {
  default: defaulted(Rule('The rule where no type matches'), 'no-cache'),
  types: defaulted(Type.Record(
    Type.String({ pattern: `^(?:\\*/\\*|${typeName}/(?:\\*|${typeName}))$` }),
    Rule('The rule for a type (`image/png`) or a range of types (`image/*`)'),
    { ...strict, description: 'Rules by media type; a range such as `image/*` stands behind an exact type', examples: [{ 'image/*': '30d immutable' }] }
  ), {})
})

const Fallback = Type.Object({
  file: FilePath('The file that is served in place of a missing page'),
  except: List('Paths below which a missing file stays missing, seen from the root of the host and from that of the mount', Prefix('A path'), ['/api/'])
}, { ...strict, description: 'For single-page apps: what answers a missing path that does not end like a file' })

const Mount = Type.Object({
  prefix: defaulted(Prefix('Where the mount begins in the URL space'), '/'),
  source: Type.Optional(Type.String({ description: 'The name of the source, for `serve`', minLength: 1 })),
  permission: Words('What clients may do at most', ['read', 'read-write'], 'read'),
  delivery: Words('How the bytes reach the client: `serve` sends those of a source, `proxy` passes files of an upstream through (GET and HEAD), `gateway` a whole API (all methods, WebSocket), `redirect` sends the client to the upstream, `auto` redirects those who can follow and is a proxy for the others', ['serve', 'proxy', 'gateway', 'redirect', 'auto'], 'serve'),
  ...mountUpstream,
  access: Type.Optional(Access),
  rateLimit: Type.Optional(RateLimit),
  writing: Writing,
  plugins: MountPlugins,
  index: List('Files that stand for their directory: the first that is there', Name(), ['index.html']),
  listing: Flag('Whether a directory without an index file shows its members', false),
  fallback: Type.Optional(Fallback),
  precompressed: Flag('Whether `.br`, `.zst` and `.gz` siblings of compressible files are sent to those who accept them. Never on a `read-write` mount', true),
  cors: Type.Optional(Cors),
  resourcePolicy: Words('`Cross-Origin-Resource-Policy`: which sites may embed the files', ['cross-origin', 'same-site', 'same-origin'], 'cross-origin'),
  images: Images,
  trustActiveContent: Flag('Whether SVG is sent without a sandbox. Never possible on a `read-write` mount', false),
  cache: Cache
}, { ...strict, description: 'A URL prefix, a source and its policies' })

const Sources = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]*$' }),
  // oneOf and discriminator, so that a mistake is told in the words of the driver it was made in
  Type.Unsafe<Static<typeof FileSource> | Static<typeof TreeSource> | Static<typeof HttpSource> | Static<typeof RemoteSource> | Static<typeof S3Source>>({ type: 'object', required: ['driver'], oneOf: [FileSource, TreeSource, HttpSource, RemoteSource, S3Source], discriminator: { propertyName: 'driver' } }),
  { ...strict, description: 'Where files live, by name', examples: [{ files: { driver: 'file', root: 'files' } }] }
)

/** The whole configuration. */
export const Config = Type.Object({
  $schema: Type.Optional(Type.String({ description: 'For editors: where this configuration\'s JSON Schema is' })),
  server: Server,
  publicUrl: Type.Optional(Like('https://media.example.com', '^https?://[^/?#@\\s]+(/[A-Za-z0-9._~/-]*)?$', { description: 'The URL by which clients reach the root of this server, where no trusted proxy tells it', env: 'PUBLIC_URL' })),
  trustedProxies: List('Addresses or CIDR ranges of the proxies whose `Forwarded` and `X-Forwarded-*` are believed', Type.String({ minLength: 1 }), [], { env: 'TRUSTED_PROXIES' }),
  log: Log,
  hotFiles: HotFiles,
  largeFiles: LargeFiles,
  images: ImageWork,
  httpCache: HttpCache,
  uploads: Uploads,
  events: Events,
  api: Type.Optional(Api),
  rateLimits: RateLimits,
  strategies: defaulted(Strategies, {}),
  plugins: defaulted(Plugins, {}),
  upstreams: defaulted(Upstreams, {}),
  sources: defaulted(Sources, {}),
  mounts: List('What is served where; the longest prefix wins', Mount, [])
}, { ...strict, title: 'fastify-media configuration' })

/** A configuration with every default in place. */
export type Config = Static<typeof Config>
export type MountConfig = Static<typeof Mount>
export type SourceConfig = Config['sources'][string]

export type UpstreamConfig = Config['upstreams'][string]

type SourceInput = Input<typeof FileSource> | Input<typeof TreeSource> | Input<typeof HttpSource> | Input<typeof RemoteSource> | Input<typeof S3Source>

/** Of a source, or of an upstream; clients are redirected to either. */
type MountInput = Omit<Input<typeof Mount>, 'delivery' | 'source' | 'upstream'> & (
  { delivery?: 'serve' | 'redirect', source: string, upstream?: never } |
  { delivery: Exclude<MountConfig['delivery'], 'serve'>, upstream: string, source?: never }
)

/** A configuration as it is written. */
export type ConfigInput = Omit<Input<typeof Config>, 'sources' | 'upstreams' | 'strategies' | 'mounts'> & {
  strategies?: Record<string, StrategyInput>
  sources?: Record<string, SourceInput>
  upstreams?: Record<string, Input<typeof Upstream>>
  /** A mount that was resolved already stays as it is. */
  mounts?: Array<MountInput | MountConfig>
}
