import Type, { type Static } from 'typebox'
import { Count, defaulted, Flag, Like, List, Milliseconds, Prefix, Section, strict, Words, type Input } from './schema-parts.ts'

/* The part of the configuration that tells who may do what. */

const Name = (description: string) => Like('build', '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$', { description })
const FieldName = (description: string, example: string) => Like(example, '^[A-Za-z0-9-]{1,64}$', { description })
const File = (description: string) => Type.String({ description: `${description}: absolute, or from the configuration file's own directory`, minLength: 1 })
const Seconds = (description: string, value: number, maximum: number) => defaulted(Type.Integer({ description: `${description}. In seconds`, minimum: 0, maximum }), value)
const ServiceUrl = (description: string, example: string) => Like(example, '^https?://[^/?#@\\s\\\\]+(/[^#\\s\\\\]*)?$', { description })

/** RFC 7518 §3.1, RFC 8037. */
export const jwtAlgorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

const Jwt = Type.Object({
  driver: Type.Literal('jwt', { description: 'How it is proven: a JSON Web Token (RFC 7519) in `Authorization: Bearer`' }),
  algorithms: Type.Array(Type.Unsafe<typeof jwtAlgorithms[number]>({ type: 'string', enum: [...jwtAlgorithms] }), { description: 'Algorithms that are taken, of one family: `HS256`, or `RS256` and `RS512`', minItems: 1 }),
  key: Type.Optional(Type.String({ description: 'The shared secret (`HS…`, at least 32 bytes) or the public key or certificate in PEM, best as `${NAME}` of an environment variable. Instead of `keyFile` and `jwks`', minLength: 1 })),
  keyFile: Type.Optional(File('A file that holds the same')),
  jwks: Type.Optional(ServiceUrl('The URL of a JSON Web Key Set (RFC 7517): kept, asked for anew when it is old or a token names a key that is not in it', 'https://id.example.com/.well-known/jwks.json')),
  issuers: List('Who may have issued it (`iss`); without any, anybody who has the key', Type.String({ minLength: 1 }), []),
  audiences: List('For whom it has to be (`aud`): one of them', Type.String({ minLength: 1 }), []),
  type: Type.Optional(Like('at+jwt', '^[A-Za-z0-9.+/-]{1,64}$', { description: 'What `typ` of its header has to be' })),
  requiredClaims: List('Claims that have to be there', Type.String({ minLength: 1, maxLength: 64 }), ['exp']),
  leewaySeconds: Seconds('How far the clocks may be apart', 5, 300),
  maxAgeSeconds: Type.Optional(Type.Integer({ description: 'How long after `iat` it is taken at most. In seconds', minimum: 1, maximum: 315_360_000 })),
  scopeClaim: defaulted(Type.String({ description: 'The claim that tells its scopes: a text with spaces between them, or a list', minLength: 1, maxLength: 64 }), 'scope'),
  pathsClaim: defaulted(Type.String({ description: 'The claim that restricts it to paths, where it is there: `/user-uploads/42/` is all below, without a slash at its end it is that one file', minLength: 1, maxLength: 64 }), 'paths'),
  jwksMaxAgeMs: Milliseconds('How long a key set is believed; a removed key is taken so long, and 10 % longer at most; twice as long while the issuer does not answer', 600_000, 1000),
  jwksCooldownMs: Milliseconds('How long after asking for a key set it is not asked for again because of unknown keys', 30_000, 0),
  jwksTimeoutMs: Milliseconds('How long the answer with the key set may take', 5000, 1)
}, { ...strict, description: 'A JSON Web Token' })

const ApiKey = Type.Object({
  driver: Type.Literal('apiKey', { description: 'How it is proven: a secret that is known to its holder, and here by its hash' }),
  header: defaulted(FieldName('The field that carries it', 'X-API-Key'), 'X-API-Key'),
  bearer: Flag('Whether `Authorization: Bearer` carries it too', true),
  keys: Type.Array(Type.Object({
    name: Name('How the log names it'),
    hash: Like('sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', '^sha256:[0-9a-f]{64}$', { description: 'SHA-256 of the key, in hexadecimal: `fastify-media key` makes both' }),
    mounts: List('Prefixes of the mounts it is for; without any, all that name the strategy', Prefix('A prefix'), []),
    methods: List('Methods it is for', Like('GET', '^[A-Z-]+$'), ['GET', 'HEAD']),
    scopes: List('Scopes it has', Type.String({ minLength: 1, maxLength: 256 }), []),
    expires: Type.Optional(Like('2027-01-01T00:00:00Z', '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$', { description: 'From when on it is refused' })),
    revoked: Flag('Whether it is refused', false)
  }, strict), { description: 'The keys', minItems: 1, maxItems: 10_000 })
}, { ...strict, description: 'API keys' })

const Signed = Type.Object({
  driver: Type.Literal('signed', { description: 'How it is proven: a signature at the end of the URL (`sig=`)' }),
  keys: Type.Array(Type.Object({
    id: Like('2026-11', '^[A-Za-z0-9_-]{1,32}$', { description: 'How URLs name it' }),
    secret: Type.Optional(Type.String({ description: 'At least 32 bytes, best as `${NAME}` of an environment variable. Instead of `secretFile`', minLength: 1 })),
    secretFile: Type.Optional(File('A file that holds it; white space at its end does not count')),
    revoked: Flag('Whether its URLs are refused', false)
  }, strict), { description: 'Keys: the first that is not revoked signs, all others are still taken', minItems: 1, maxItems: 100 }),
  mode: Words('`enforce` refuses, `report-only` lets in whom only it would have refused, and counts and logs them', ['enforce', 'report-only'], 'enforce'),
  requireExpiry: Flag('Whether URLs that never expire are refused', true),
  maxLifetimeSeconds: defaulted(Type.Integer({ description: 'How far in the future an expiry may lie. In seconds', minimum: 1, maximum: 315_360_000 }), 31_536_000),
  leewaySeconds: Seconds('How far the clocks may be apart', 5, 300)
}, { ...strict, description: 'Signed URLs' })

const Forward = Type.Object({
  driver: Type.Literal('forward', { description: 'How it is proven: another service decides' }),
  url: ServiceUrl('The service', 'http://127.0.0.1:8181/v1/data/media/allow'),
  protocol: Words('`opa` posts the request as JSON (`{"input": …}`) and reads `result` (Open Policy Agent\'s data API); `request` asks with GET and reads the status, as nginx\'s `auth_request` does', ['opa', 'request'], 'opa'),
  headers: List('Fields of the request that the service is told', FieldName('A field', 'Cookie'), ['Authorization', 'Cookie']),
  timeoutMs: Milliseconds('How long its answer may take; without one nobody gets in', 1000, 1),
  cacheMs: Milliseconds('How long an answer is believed for requests that are alike; 0 asks each time', 1000),
  maxCached: Count('How many answers are kept', 10_000, 1_000_000),
  connections: Count('The most connections to it', 64, 10_000),
  maxWaiting: Count('The most requests that wait for it; more are answered 503', 1024, 100_000),
  ca: Type.Optional(File('A PEM file of the authorities that are trusted, instead of the system\'s'))
}, { ...strict, description: 'A policy service' })

const Mtls = Type.Object({
  driver: Type.Literal('mtls', { description: 'How it is proven: a client certificate, verified by the TLS server in front' }),
  subjects: List('Subjects that are let in, as `CN=reader,O=Example` with the attributes in the order of the certificate', Type.String({ minLength: 3, maxLength: 1024 }), []),
  names: List('Subject alternative names that are let in', Like('URI:spiffe://example.com/reader', '^(DNS|URI|email|IP Address):.+$'), []),
  fingerprints: List('SHA-256 fingerprints that are let in, in hexadecimal', Like('2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', '^[0-9a-f]{64}$'), []),
  header: Type.Optional(FieldName('The field in which trusted proxies (`trustedProxies`) tell the certificate: as RFC 9440 says, or in PEM that is percent-encoded', 'Client-Cert')),
  verifiedHeader: Type.Optional(FieldName('A field that has to say `SUCCESS` beside it, for proxies that also tell certificates that they could not verify', 'X-SSL-Client-Verify'))
}, { ...strict, description: 'Client certificates. Without subjects, names and fingerprints every verified one is let in' })

const Ip = Type.Object({
  driver: Type.Literal('ip', { description: 'How it is proven: the address of the client, as trusted proxies tell it' }),
  allow: List('Addresses and CIDR ranges that are let in; without any, all that are not denied', Type.String({ minLength: 1 }), []),
  deny: List('Addresses and CIDR ranges that are not, whatever `allow` says', Type.String({ minLength: 1 }), [])
}, { ...strict, description: 'Addresses' })

const kinds = [Jwt, ApiKey, Signed, Forward, Mtls, Ip]

export type JwtConfig = Static<typeof Jwt>
export type ApiKeyConfig = Static<typeof ApiKey>
export type SignedConfig = Static<typeof Signed>
export type ForwardConfig = Static<typeof Forward>
export type MtlsConfig = Static<typeof Mtls>
export type IpConfig = Static<typeof Ip>
/** A strategy as it is written. */
export type StrategyInput = Input<typeof Jwt> | Input<typeof ApiKey> | Input<typeof Signed> | Input<typeof Forward> | Input<typeof Mtls> | Input<typeof Ip>
export type StrategyConfig = JwtConfig | ApiKeyConfig | SignedConfig | ForwardConfig | MtlsConfig | IpConfig

/** Ways to prove who one is, by name. */
export const Strategies = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]*$' }),
  Type.Unsafe<StrategyConfig>({ type: 'object', required: ['driver'], oneOf: kinds, discriminator: { propertyName: 'driver' } }),
  { ...strict, description: 'Ways to prove who one is, by name: mounts name them in `access`', examples: [{ links: { driver: 'signed', keys: [{ id: '2026-11', secretFile: 'signing.key' }] } }] }
)

/** Names of strategies: `public`, `nobody`, or what has to be proven. */
export type Requirement = string | { readonly any: ReadonlyArray<string | { readonly all: readonly string[] }> } | { readonly all: ReadonlyArray<string | { readonly any: readonly string[] }> } | ReadonlyArray<string | { readonly all: readonly string[] }>

/** More of its shape is checked with its names: a choice of shapes makes no good sentences. */
const AnyRequirement = (extra = {}) => Type.Unsafe<Requirement>({ anyOf: [{ type: 'string', examples: ['public'] }, { type: 'array', items: {} }, { type: 'object' }], ...extra })
const RequirementOf = (description: string, value: Requirement) => defaulted(AnyRequirement({ description, examples: ['public', ['editors', 'machines'], { all: ['office', { any: ['editors', 'machines'] }] }] }), value as never)

/** Who may do what with a mount. */
export const Access = Type.Object({
  read: RequirementOf('Who may read (GET, HEAD, OPTIONS): `public`, `nobody`, or names of strategies, of which one has to hold (a list, or `{any: […]}`) or all (`{all: […]}`)', 'public'),
  write: RequirementOf('Who may use every other method, and WebSockets', 'nobody'),
  methods: defaulted(Type.Record(Type.String({ pattern: '^[A-Z-]+$' }), AnyRequirement(), { ...strict, description: 'Other rules for single methods, on mounts of every kind, or for `WEBSOCKET`', examples: [{ DELETE: ['admins'] }] }), {}),
  readScopes: List('Scopes that whoever is asked for some needs to read', Type.String({ minLength: 1, maxLength: 256 }), []),
  writeScopes: List('Scopes that whoever is asked for some needs for the rest', Type.String({ minLength: 1, maxLength: 256 }), []),
  passCredentials: Flag('Whether an upstream, and plugins of others, get the credentials that were checked here; without it they are taken out', false),
  except: List('Routes of the host app below the prefix that need no authentication of ours: those that it lists are not refused at start', Prefix('A path'), [])
}, { ...strict, description: 'Who may do what. Without it everybody may read; of a gateway, its origin decides' })

export type AccessConfig = Static<typeof Access>

const Limit = (description: string) => Type.Optional(Type.Object({
  max: Count('How much may be used within the window', 1000, 1_000_000_000),
  windowMs: Milliseconds('How long the window is', 60_000, 100),
  concurrent: Type.Optional(Type.Integer({ description: 'How many requests may be under way at once, to one instance', minimum: 1, maximum: 100_000 }))
}, { ...strict, description }))

/** How much clients may ask for. */
export const RateLimit = Type.Object({
  addresses: Limit('For each address, before anyone is asked who they are: an IPv6 network of 64 bits is one address'),
  principals: Limit('For each principal, after authentication: those without a name, and who hold one link, by address'),
  costs: Section('What an answer uses of both', {
    request: Count('Every request', 1, 1_000_000),
    made: Count('A variant that had to be made', 5, 1_000_000),
    avif: Count('The same in AVIF', 20, 1_000_000)
  })
}, { ...strict, description: 'How much each client may ask for. Without it, without bound' })

export type RateLimitConfig = Static<typeof RateLimit>

/** How limits are counted. */
export const RateLimits = Section('How the limits of all mounts are counted', {
  redis: Type.Optional(Like('redis://localhost:6379', '^rediss?://[^\\s]+$', { description: 'A Redis server on which instances count together; without it each counts for itself', env: 'RATE_LIMIT_REDIS' })),
  whenRedisFails: Words('What happens while Redis does not answer: `open` counts nothing, `closed` answers 503, `local` counts in this instance alone', ['open', 'closed', 'local'], 'local'),
  maxClients: Count('How many clients are counted in memory; those that came once, or whose window ended, are forgotten first', 100_000, 10_000_000)
})

/** Code of others. */
export const Plugins = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]*$' }),
  Type.Object({
    module: Type.Optional(File('The module whose default export is a Fastify plugin; without it the host app gives the plugin by this name')),
    options: defaulted(Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'What it is registered with' }), {})
  }, strict),
  { ...strict, description: 'Plugins of others that mounts may name: no other is ever registered', examples: [{ audit: { module: './audit.mjs' } }] }
)

/** Where in the order a mount has them. */
export const MountPlugins = List('Plugins of others, in this order', Type.Object({
  use: Type.String({ description: 'The name of the plugin', minLength: 1 }),
  at: Words('Where its hooks run: `beforeAuth` before anyone is asked who they are, `afterAuth` behind it, `onSend` on the way out alone', ['beforeAuth', 'afterAuth', 'onSend'], 'afterAuth')
}, strict), [])
