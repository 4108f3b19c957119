import Type, { type Static } from 'typebox'
import { hotFileDefaults } from '../cache/hot-files.ts'
import { cacheRulePattern } from '../http/cache-control.ts'
import { inputFormats } from '../image/format.ts'
import { largeFileDefaults } from '../sources/large-files.ts'
import { defaultQualities, defaultWidths } from '../transform/limits.ts'
import { MAX_SIDE } from '../transform/operations.ts'

/**
 * The one truth about the configuration: types, defaults, checks, the table in
 * `docs/configuration.md`, `.env.example` and `media.config.schema.json` come from here.
 * `env` names the environment variable that sets a scalar.
 */

const strict = { additionalProperties: false } as const

/** A schema whose value may be left out: its type says so to {@link Input}. */
type Defaulted<S extends Type.TSchema> = S & { default: unknown }

function defaulted<S extends Type.TSchema> (schema: S, value: Type.Static<S> | Record<string, never>): Defaulted<S> {
  return { ...schema, default: value }
}

const Bytes = (description: string, value: number) => defaulted(Type.Integer({ description: `${description}. In bytes`, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), value)
const Milliseconds = (description: string, value: number, minimum = 0) => defaulted(Type.Integer({ description: `${description}. In milliseconds`, minimum, maximum: 2_147_483_647 }), value)
const Count = (description: string, value: number, maximum: number) => defaulted(Type.Integer({ description, minimum: 1, maximum }), value)
const Flag = (description: string, value: boolean, extra = {}) => defaulted(Type.Boolean({ description, ...extra }), value)
const Words = <const T extends string[]>(description: string, words: T, value: T[number], extra = {}) => defaulted(Type.Unsafe<T[number]>({ type: 'string', enum: words, description, ...extra }), value)
const List = <S extends Type.TSchema>(description: string, item: S, value: Array<Type.Static<S>>, extra = {}) => defaulted(Type.Array(item, { description, ...extra }), value as never)
const Section = <P extends Type.TProperties>(description: string, properties: P) => defaulted(Type.Object(properties, { ...strict, description }), {})
/** A text of a form. Mistakes show the example rather than the pattern. */
const Like = (example: string, pattern: string, extra = {}) => Type.String({ pattern, examples: [example], ...extra })
const Rule = (description: string) => Like('30d immutable', cacheRulePattern, { description })

const segment = '(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+'
const Prefix = (description: string) => Like('/photos', `^/(?:${segment}(?:/${segment})*/?)?$`, { description })

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

const VariantCache = Section('Where variants are kept once they are made', {
  memoryBytes: Bytes('Finished variants kept in memory', 67_108_864),
  directory: defaulted(Type.String({ description: 'The directory of the tier on disk: absolute, or from the configuration file\'s own. Several processes may share it', minLength: 1, env: 'IMAGE_CACHE' }), '.cache'),
  diskBytes: Bytes('What is kept on disk; the variants unused for the longest go first. 0 keeps nothing there', 4_294_967_296),
  redis: Type.Optional(Like('redis://localhost:6379', '^rediss?://[^\\s]+$', { description: 'A Redis server that instances share, in place of the disk', env: 'IMAGE_CACHE_REDIS' }))
})

const ImageWork = Section('How variants are made, for all mounts together', {
  workers: defaulted(Type.Integer({ description: 'Processes that make variants; 0 is one for each core', minimum: 0, maximum: 256, env: 'IMAGE_WORKERS' }), 0),
  deadlineMs: Milliseconds('How long one variant may take until its worker is ended, where its mount says nothing else', 10_000, 1),
  workerBytes: Bytes('The memory at which one worker is ended', 335_544_320),
  totalBytes: Bytes('The memory of all workers together at which the largest is ended', 402_653_184),
  idleMs: Milliseconds('How long a worker without work stays', 60_000, 1),
  hostileMs: Milliseconds('How long an original whose worker had to be ended is refused, and what cannot be made of another is not tried again', 60_000),
  maxWaiting: Count('The most variants that wait to be made; what comes then is told to come again', 1000, 1_000_000),
  maxWaitMs: Milliseconds('How long one may wait', 30_000, 1),
  pixelsInFlight: Count('Pixels that are decoded at the same time, of four bytes each; what needs more is made alone', 50_000_000, Number.MAX_SAFE_INTEGER),
  cacheHeader: Flag('Whether answers carry `X-Cache`', true),
  tagHeaders: Flag('Whether variants carry `Cache-Tag` and `Surrogate-Key`, by which a CDN purges them', true),
  cache: VariantCache
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

const FilePath = (description: string) => Like('index.html', '^(?:[^/\\\\.\\x00][^/\\\\\\x00]*)(?:/[^/\\\\.\\x00][^/\\\\\\x00]*)*$', { description })

const Fallback = Type.Object({
  file: FilePath('The file that is served in place of a missing page'),
  except: List('Paths below which a missing file stays missing, seen from the root of the host and from that of the mount', Prefix('A path'), ['/api/'])
}, { ...strict, description: 'For single-page apps: what answers a missing path that does not end like a file' })

const Overlay = Type.Object({
  source: Type.String({ description: 'The name of the source', minLength: 1 }),
  file: FilePath('The picture')
}, strict)

const ImageLimits = Section('Bounds on each picture', {
  inputBytes: Bytes('An original', 104_857_600),
  inputPixels: Count('Pixels of one frame of an original', 50_000_000, 1_000_000_000),
  framePixels: Count('Pixels of all frames of an animation together', 100_000_000, 10_000_000_000),
  outputPixels: Count('Pixels of one frame of a variant', 25_000_000, 268_000_000),
  dimension: Count('Pixels of either side of a variant', 8192, MAX_SIDE),
  operations: Count('Operations in one URL', 16, 100),
  deadlineMs: Type.Optional(Type.Integer({ description: 'How long one variant may take, where the mount has a bound of its own. In milliseconds', minimum: 1, maximum: 2_147_483_647 }))
})

const Images = Section('Variants of pictures by URL', {
  mode: Words('`off` makes none, `snapped` rounds sizes and qualities up to a list, `presets` makes what presets name and nothing else, `signed` what a signed URL asks for, `open` everything within the limits', ['off', 'open', 'snapped', 'presets', 'signed'], 'snapped'),
  grammars: List('How URLs ask: `query` (`/cat.jpg?w=320`), `ipx` (`/_ipx/w_320/cat.jpg`)', Type.Unsafe<'query' | 'ipx'>({ type: 'string', enum: ['query', 'ipx'] }), ['query', 'ipx']),
  unknownParameters: Words('What happens to parameters of a picture\'s URL that mean nothing', ['refuse', 'ignore'], 'refuse'),
  ignoredParameters: List('Parameters that others add: a name, or a beginning such as `utm_*`', Like('utm_*', '^[^\\s=&?]{1,64}$'), []),
  widths: List('Widths and heights that are made in mode `snapped`', Type.Integer({ minimum: 1, maximum: MAX_SIDE }), [...defaultWidths], { minItems: 1, maxItems: 1000 }),
  qualities: List('Qualities that are made in mode `snapped`', Type.Integer({ minimum: 1, maximum: 100 }), [...defaultQualities], { minItems: 1, maxItems: 100 }),
  presets: defaulted(Type.Record(
    Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$' }),
    Type.String({ minLength: 1, description: 'Operations as a query: `w=320&h=200&fit=cover`' }),
    { ...strict, description: 'Transforms by name, for `preset=NAME`', examples: [{ card: 'w=320&h=200&fit=cover&f=auto' }] }
  ), {}),
  formats: List('What `f=auto` chooses from, the best first, before JPEG and PNG', Type.Unsafe<'avif' | 'webp'>({ type: 'string', enum: ['avif', 'webp'] }), ['avif', 'webp']),
  upgrade: Flag('Whether the first who asks gets a format that is made fast, for a minute, while the AVIF is made', false),
  clientHints: Flag('Whether `DPR`, `Width` and `Save-Data` of the request choose the size', false),
  inputs: List('Formats an original may have, told by its content', Type.Unsafe<typeof inputFormats[number]>({ type: 'string', enum: [...inputFormats] }), [...inputFormats]),
  fallback: Type.Optional(FilePath('The picture that stands for one that is broken or refused')),
  info: Flag('Whether `?info` tells what a picture is', true),
  gps: Flag('Whether `?info` tells where it was taken', false),
  overlays: defaulted(Type.Record(
    Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$' }),
    Overlay,
    { ...strict, description: 'Pictures that `mark=NAME` lays over others', examples: [{ logo: { source: 'files', file: 'logo.png' } }] }
  ), {}),
  limits: ImageLimits
})

const Mount = Type.Object({
  prefix: defaulted(Prefix('Where the mount begins in the URL space'), '/'),
  source: Type.String({ description: 'The name of the source', minLength: 1 }),
  permission: Words('What clients may do at most', ['read', 'read-write'], 'read'),
  delivery: Words('How the bytes reach the client', ['serve'], 'serve'),
  index: List('Files that stand for their directory: the first that is there', Name(), ['index.html']),
  listing: Flag('Whether a directory without an index file shows its members', false),
  fallback: Type.Optional(Fallback),
  precompressed: Flag('Whether `.br`, `.zst` and `.gz` siblings of compressible files are sent to those who accept them', true),
  cors: Type.Optional(Cors),
  resourcePolicy: Words('`Cross-Origin-Resource-Policy`: which sites may embed the files', ['cross-origin', 'same-site', 'same-origin'], 'cross-origin'),
  images: Images,
  trustActiveContent: Flag('Whether SVG is sent without a sandbox. Never possible on a `read-write` mount', false),
  cache: Cache
}, { ...strict, description: 'A URL prefix, a source and its policies' })

const Sources = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]*$' }),
  // oneOf and discriminator, so that a mistake is told in the words of the driver it was made in
  Type.Unsafe<Static<typeof FileSource> | Static<typeof TreeSource>>({ type: 'object', required: ['driver'], oneOf: [FileSource, TreeSource], discriminator: { propertyName: 'driver' } }),
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
  sources: defaulted(Sources, {}),
  mounts: List('What is served where; the longest prefix wins', Mount, [])
}, { ...strict, title: 'fastify-media configuration' })

/** A configuration with every default in place. */
export type Config = Static<typeof Config>
export type MountConfig = Static<typeof Mount>
export type SourceConfig = Config['sources'][string]

/** What a person writes for a schema: whatever has a default may be left out. */
type Input<S> =
  S extends Type.TObject<infer P> ? InputProperties<P>
    : S extends Type.TArray<infer I> ? Array<Input<I>>
      : S extends Type.TSchema ? Static<S> : never

type LeftOut<P> = { [K in keyof P]: P[K] extends Defaulted<Type.TSchema> | Type.TOptional ? K : never }[keyof P]
type InputProperties<P> = { [K in LeftOut<P>]?: Input<P[K]> } & { [K in Exclude<keyof P, LeftOut<P>>]: Input<P[K]> }

type SourceInput = Input<typeof FileSource> | Input<typeof TreeSource>

/** A configuration as it is written. */
export type ConfigInput = Omit<Input<typeof Config>, 'sources'> & { sources?: Record<string, SourceInput> }
