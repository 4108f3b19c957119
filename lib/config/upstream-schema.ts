import Type from 'typebox'
import { Bytes, Count, defaulted, Flag, Like, List, Milliseconds, Rule, Section, strict, Words } from './schema-parts.ts'

/* The part of the configuration that tells about other servers. */

const httpUrl = '^https?://[^/?#@\\s\\\\]+(/[^?#\\s\\\\]*)?$'

/** A path on another server: percent-encoded as it is to be sent, without dot segments. */
const RemotePath = (description: string) => Like('/assets', '^/(?!/)(?!(?:.*/)?\\.{1,2}(?:/|$))[^?#\\s\\\\]*$', { description })

const Origin = Type.Object({
  url: Like('http://10.0.0.5:8080/assets', httpUrl, { description: 'Scheme, host, port and base path of one server: nothing outside the base path is ever asked for' }),
  weight: defaulted(Type.Integer({ description: 'Its share of the requests, beside the others\'', minimum: 1, maximum: 1000 }), 1),
  drain: Flag('Whether it gets no new requests: for taking it out of service', false)
}, { ...strict, description: 'One server' })

const HealthCheck = Type.Object({
  path: RemotePath('What is asked for, below the base path'),
  intervalMs: Milliseconds('How often', 10_000, 100),
  timeoutMs: Milliseconds('How long an answer may take', 2000, 10),
  healthy: defaulted(Type.Integer({ description: 'How many good answers in a row bring an origin back', minimum: 1, maximum: 100 }), 2),
  unhealthy: defaulted(Type.Integer({ description: 'How many bad ones in a row take it out', minimum: 1, maximum: 100 }), 2)
}, { ...strict, description: 'Asks each origin whether it is well; 2xx and 3xx are good answers' })

const Tls = Type.Object({
  ca: Type.Optional(Type.String({ description: 'A PEM file of the authorities that are trusted, instead of the system\'s', minLength: 1 })),
  cert: Type.Optional(Type.String({ description: 'A PEM file with the certificate by which this server proves who it is', minLength: 1 })),
  key: Type.Optional(Type.String({ description: 'A PEM file with the key of that certificate', minLength: 1 })),
  servername: Type.Optional(Like('media.example.com', '^[A-Za-z0-9._-]+$', { description: 'The name that the certificate has to be for, where it is not the host of the URL' }))
}, { ...strict, description: 'For origins with `https:`. Certificates are always verified' })

export const Upstream = Type.Object({
  origins: Type.Array(Origin, { description: 'The servers, alike to each other', minItems: 1, maxItems: 256 }),
  balance: Words('Who gets the next request: each in turn, or who has the fewest under way for its weight', ['round-robin', 'least-pending'], 'round-robin'),
  addresses: Words('`public` refuses origins whose name leads to a private, loopback or otherwise special address; `any` asks them too', ['any', 'public'], 'any'),
  host: Words('The `Host` that an origin sees: its own, or the one that the client asked for', ['origin', 'client'], 'origin'),
  connections: Count('The most connections to one origin', 64, 10_000),
  liveConnections: Count('The most connections to one origin for mounts with `live`: a pool of their own, so that streams without an end never starve files. WebSockets and requests with trailer fields count against it by themselves, and for those it is the most to the whole upstream', 1024, 100_000),
  maxWaiting: defaulted(Type.Integer({ description: 'The most requests that wait for a connection to one origin; more are answered 503', minimum: 0, maximum: 100_000 }), 1024),
  connectTimeoutMs: Milliseconds('How long a connection may take to be made', 5000, 1),
  firstByteTimeoutMs: Milliseconds('How long the head of an answer may take, waiting for a connection included', 60_000, 1),
  idleTimeoutMs: Milliseconds('How long a body may pause; 0 is for ever. There is no limit for the whole', 60_000),
  liveIdleTimeoutMs: Milliseconds('The same for mounts with `live`', 0),
  keepAliveMs: Milliseconds('How long an idle connection is kept', 10_000, 1),
  maxHeaderBytes: Bytes('The largest head of an answer', 64 * 1024),
  retries: defaulted(Type.Integer({ description: 'How often a request without a body, of a method that is idempotent, is sent again, to another origin where there is one, when none of its answer has come', minimum: 0, maximum: 10 }), 1),
  retryBudget: defaulted(Type.Number({ description: 'The most retries, as a share of the requests: beyond it the first failure is the answer', minimum: 0, maximum: 1 }), 0.2),
  resumes: defaulted(Type.Integer({ description: 'How often the rest of a download is fetched anew when its origin dies: only with a strong validator', minimum: 0, maximum: 100 }), 3),
  ejectAfter: defaulted(Type.Integer({ description: 'How many failures in a row take an origin out', minimum: 1, maximum: 10_000 }), 5),
  ejectMs: Milliseconds('How long it stays out until one request tries it again', 10_000, 1),
  healthCheck: Type.Optional(HealthCheck),
  tls: Type.Optional(Tls),
  http2: Flag('Whether HTTP/2 is spoken to origins with `https:` that offer it', false)
}, { ...strict, description: 'Other servers that hold the same' })

export const Upstreams = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]*$' }),
  Upstream,
  { ...strict, description: 'Servers behind this one, by name', examples: [{ assets: { origins: [{ url: 'http://10.0.0.5:8080' }] } }] }
)

const SharedCacheRules = {
  heuristicSeconds: defaulted(Type.Integer({ description: 'The longest that an answer without a lifetime of its own counts as fresh: a tenth of its age, up to this', minimum: 0, maximum: 31_536_000 }), 86_400),
  staleWhileRevalidateSeconds: defaulted(Type.Integer({ description: 'How long a stale answer is sent while a fresh one is fetched, where the origin says nothing of it (RFC 5861)', minimum: 0, maximum: 31_536_000 }), 0),
  staleIfErrorSeconds: defaulted(Type.Integer({ description: 'How long a stale answer is sent where the origin fails, where it says nothing of it', minimum: 0, maximum: 31_536_000 }), 0),
  maxEntryBytes: Bytes('The largest body that is kept', 1024 * 1024 * 1024)
}

/** What of an origin's answers is kept, by RFC 9111. */
export const SharedCache = Type.Object(SharedCacheRules, { ...strict, description: 'Keeps what may be kept for all clients (RFC 9111). Without it nothing is' })

/** Where all of them keep. */
export const HttpCache = Section('What mounts and sources with `sharedCache` keep of their origins\' answers', {
  memoryBytes: Bytes('In memory', 64 * 1024 * 1024),
  diskBytes: Bytes('On disk; 0 is nothing', 1024 * 1024 * 1024),
  directory: defaulted(Type.String({ description: 'The directory for it: absolute, or from the configuration file\'s own', minLength: 1, env: 'HTTP_CACHE' }), '.cache/http')
})

export const HttpSource = Type.Object({
  driver: Type.Literal('http', { description: 'The kind of source: an HTTP origin' }),
  upstream: Type.String({ description: 'The name of the upstream', minLength: 1 }),
  path: defaulted(RemotePath('The path that the source begins at, below the base path of the origin'), '/'),
  maxBytes: Bytes('The largest file', 512 * 1024 * 1024),
  revalidateMs: Milliseconds('How long a file without a lifetime of its own is believed unchanged until its origin is asked again', 1000),
  sharedCache: Type.Optional(SharedCache)
}, { ...strict, description: 'Files of an HTTP origin' })

export const RemoteSource = Type.Object({
  driver: Type.Literal('remote', { description: 'The kind of source: whatever URL a client names, among those that are allowed' }),
  allow: Type.Array(Like('https://*.example.com', '^https?://(\\*\\.)?[^*/?#@\\s\\\\]+$', { description: 'Scheme, host and, where it is not the usual one, port: `https://img.example.com`, `https://*.example.com` for every name below it, `http://img.example.com:8080`' }), { description: 'What may be asked for; all else is refused, at every redirect', minItems: 1, maxItems: 1000 }),
  addresses: Words('`public` refuses names that lead to a private, loopback or otherwise special address; `any` is for tests and closed networks', ['public', 'any'], 'public'),
  maxBytes: Bytes('The largest file', 32 * 1024 * 1024),
  maxRedirects: defaulted(Type.Integer({ description: 'How many redirects are followed', minimum: 0, maximum: 20 }), 3),
  types: List('Media types that are passed on; the bytes decide, not what their server says', Like('image/*', '^[a-z0-9.+-]+/([a-z0-9.+-]+|\\*)$'), ['image/*']),
  connectTimeoutMs: Milliseconds('How long a connection may take to be made', 3000, 1),
  firstByteTimeoutMs: Milliseconds('How long the head of an answer may take', 10_000, 1),
  idleTimeoutMs: Milliseconds('How long a body may pause', 10_000, 1),
  connections: Count('The most connections to one host', 16, 1000),
  revalidateMs: Milliseconds('How long a file without a lifetime of its own is believed unchanged until its origin is asked again', 60_000),
  sharedCache: Type.Optional(SharedCache)
}, { ...strict, description: 'Files whose URL the client names' })

const Replacement = Type.Object({
  from: Type.String({ description: 'The text that is looked for, as bytes of UTF-8', minLength: 1, maxLength: 2048 }),
  to: Type.String({ description: 'What stands in its place', maxLength: 2048 })
}, strict)

/** What is changed in an origin's answers. */
export const Rewrite = Section('What is changed in an origin\'s answers on their way', {
  locations: Flag('Whether `Location`, `Content-Location`, `Link` and `Refresh` that lead to the origin lead to the mount instead', true),
  cookies: Words('`adapt` takes the domain out of `Set-Cookie` and puts its path below the mount, `drop` drops the field, `keep` leaves it', ['adapt', 'drop', 'keep'], 'adapt'),
  types: List('Media types whose text is changed', Like('text/css', '^[a-z0-9.+-]+/([a-z0-9.+-]+|\\*)$'), ['text/html', 'text/css', 'application/json', 'application/vnd.apple.mpegurl', 'application/x-mpegurl', 'audio/mpegurl', 'audio/x-mpegurl']),
  urls: Flag('Whether URLs of the origin in such text lead to the mount instead', false),
  replace: List('Further texts to replace, the longest that matches first', Replacement, [], { maxItems: 1000 })
})

/** How clients are sent to the origin itself. */
export const Redirect = Section('For delivery `redirect` and `auto`: where clients are sent', {
  status: defaulted(Type.Union([Type.Literal(302), Type.Literal(307)], { description: 'The status of the redirect' }), 302),
  base: Type.Optional(Like('https://cdn.example.com/assets', httpUrl, { description: 'The URL below which clients find the files, where it is not that of the first origin' })),
  template: Type.Optional(Like('{path}', '^(?=/|\\{path\\})[^\\s\\\\{}#]*\\{path\\}[^\\s\\\\{}#]*$', { description: 'What follows the base: `{path}` is the path below the mount; a query in it is added' })),
  query: Words('`keep` sends the query of the request along, `drop` does not', ['keep', 'drop'], 'keep'),
  cache: defaulted(Rule('How long a client may keep the redirect'), 'no-cache'),
  proxyFor: List('For `auto`: who gets the bytes through this server, beside those who send `Prefer: proxy`: requests with `Range`, with a `User-Agent` that holds one of `userAgents`, of pages with `Sec-Fetch-Mode: cors`', Type.Unsafe<'range' | 'user-agent' | 'cors'>({ type: 'string', enum: ['range', 'user-agent', 'cors'] }), ['range', 'cors']),
  userAgents: List('Texts in `User-Agent`, in any letter case', Type.String({ minLength: 1, maxLength: 100 }), [])
})

/** Promises about the bytes of files. */
export const Integrity = Type.Object({
  files: defaulted(Type.Record(Type.String({ pattern: '^.+$' }), Like('sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', '^(sha(256|384|512)-[A-Za-z0-9+/]+={0,2})( sha(256|384|512)-[A-Za-z0-9+/]+={0,2})*$'), { description: 'Hashes as of Subresource Integrity, by path below the mount', examples: [{ 'film.mp4': 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' }] }), {}),
  manifest: Type.Optional(Type.String({ description: 'A JSON file of the same form', minLength: 1 })),
  mandatory: Flag('Whether files without a hash are refused', false)
}, { ...strict, description: 'A body that has another hash ends in 502, or in a broken connection where bytes have left' })

/** What of a mount is about its upstream. */
export const mountUpstream = {
  upstream: Type.Optional(Type.String({ description: 'The name of the upstream, for `proxy`, `gateway`, `redirect` and `auto`', minLength: 1 })),
  upstreamPath: defaulted(RemotePath('The path that takes the place of the prefix, below the base path of the origin'), '/'),
  live: Flag('Whether the bodies have no end (HTTP-FLV, HLS): connections of their own, no idle limit, nothing held back', false),
  sharedCache: Type.Optional(SharedCache),
  rewrite: Rewrite,
  redirect: Redirect,
  integrity: Type.Optional(Integrity),
  digest: Flag('Whether answers carry `Repr-Digest` (RFC 9530) where `Want-Repr-Digest` asks for it', false)
}
