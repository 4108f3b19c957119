import Type, { type Static } from 'typebox'
import { eventTypes, type EventType } from '../events/event-types.ts'
import { Access, RateLimit } from './access-schema.ts'
import { Bytes, Count, defaulted, Flag, Like, List, Milliseconds, Prefix, Section, strict, Words } from './schema-parts.ts'

/* The part of the configuration that tells what may be written, where objects lie, and who is told of it. */

const RedisUrl = (description: string, env: string) => Type.Optional(Like('redis://localhost:6379', '^rediss?://[^\\s]+$', { description, env }))
const SecretText = (description: string) => Type.Optional(Type.String({ description: `${description}, best as \`\${NAME}\` of an environment variable`, minLength: 1 }))
const File = (description: string) => Type.Optional(Type.String({ description: `${description}: absolute, or from the configuration file's own directory`, minLength: 1 }))

/** A bucket as a source. */
export const S3Source = Type.Object({
  driver: Type.Literal('s3', { description: 'The kind of source: a bucket of an object store that speaks S3' }),
  bucket: Like('pictures', '^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$', { description: 'The bucket' }),
  endpoint: Type.Optional(Like('https://s3.example.com', '^https?://[^/?#@\\s\\\\]+/?$', { description: 'The object store; without it that of Amazon in the region' })),
  region: defaulted(Like('eu-central-1', '^[A-Za-z0-9-]{1,64}$', { description: 'The region, as requests are signed for' }), 'us-east-1'),
  prefix: defaulted(Like('originals/', '^(?:[^/\\\\\\x00-\\x1f]+/)*$', { description: 'What begins the names of all objects that are seen: it ends in a slash' }), ''),
  pathStyle: Flag('Whether the bucket is named in the path of URLs, rather than in the host', true),
  accessKeyId: Type.Optional(Type.String({ description: 'Who signs; without it requests are not signed', minLength: 1, maxLength: 256 })),
  secretAccessKey: SecretText('By what'),
  secretAccessKeyFile: File('A file that holds it'),
  sessionToken: SecretText('What goes with credentials for a time'),
  ca: File('A PEM file of the authorities that are trusted, instead of the system\'s'),
  connections: Count('The most connections to it', 64, 10_000),
  timeoutMs: Milliseconds('How long the head of an answer may take, and how long a body may pause', 30_000, 1),
  partBytes: defaulted(Type.Integer({ description: 'What is sent at once of a file that is written: a larger one goes in parts. In bytes', minimum: 5_242_880, maximum: 1_073_741_824 }), 8_388_608),
  presignSeconds: defaulted(Type.Integer({ description: 'How long a client that is redirected to the store may use its URL. In seconds', minimum: 1, maximum: 604_800 }), 300)
}, { ...strict, description: 'A bucket of an object store that speaks S3' })

export type S3Config = Static<typeof S3Source>

const Quota = (description: string) => Type.Optional(Type.Object({
  bytes: Type.Optional(Type.Integer({ description: 'What they may take together. In bytes', minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  files: Type.Optional(Type.Integer({ description: 'How many they may be', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
}, { ...strict, description }))

/** What may be written to a mount. */
export const Writing = Section('What may be written, where `permission` is `read-write`', {
  maxBytes: Bytes('The largest file', 104_857_600),
  types: List('Media types that may be written, exact or as ranges (`image/*`): what the bytes are and what the name ends with have to be the same one of them. Types that browsers run (HTML, SVG, XML, scripts) are allowed only where they stand here exactly', Like('image/*', '^(?:\\*/\\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/(?:\\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*))$'), ['image/*', 'video/*', 'audio/*', 'font/*', 'text/plain', 'text/csv', 'text/markdown', 'application/json', 'application/pdf', 'application/zip', 'application/gzip', 'application/octet-stream']),
  names: Words('How files are named that come by POST or by a resumable upload: `kept` as the client says, `uuid`, `hash` of their content (SHA-256), `date` for year, month and day as directories and a UUID', ['kept', 'uuid', 'hash', 'date'], 'kept'),
  overwrite: Flag('Whether POST and resumable uploads replace a file of the same name', false),
  maxFiles: Count('The most files of one POST', 100, 10_000),
  images: Section('What is done with pictures before they are kept', {
    check: Flag('Whether pictures that are broken, or too large to decode, are refused', true),
    reencode: Flag('Whether each is decoded and encoded anew: nothing but the picture is kept', false),
    metadata: Words('What is kept of what they tell about themselves: all, all but where they were taken, or nothing (colour profile and orientation aside)', ['all', 'no-location', 'none'], 'all'),
    maxPixels: Count('Pixels from which on one is refused', 100_000_000, 1_000_000_000),
    maxSide: Type.Optional(Type.Integer({ description: 'Pixels of its longer side: a larger one is scaled down', minimum: 1, maximum: 16_383 }))
  }),
  quotas: Section('How much may be kept', {
    mount: Quota('Of the whole mount'),
    principal: Quota('Of what each principal has written to the mount')
  }),
  makeAhead: List('Names of presets that are made of each picture once it is written', Type.String({ minLength: 1 }), [])
})

export type WritingConfig = Static<typeof Writing>

/** What all mounts that are written to share. */
export const Uploads = Section('How files are written, for all mounts together', {
  directory: defaulted(Type.String({ description: 'Where unfinished uploads lie, how much everybody has written, and events that wait: absolute, or from the configuration file\'s own directory. It has to outlive the process', minLength: 1, env: 'UPLOADS_DIRECTORY' }), '.uploads'),
  redis: RedisUrl('A Redis server on which instances count quotas and lock resumable uploads together', 'UPLOADS_REDIS'),
  maxConcurrent: Count('The most uploads under way at once; more are told to come again', 256, 100_000),
  stallMs: Milliseconds('How long an upload may bring nothing', 30_000, 1),
  timeoutMs: Milliseconds('How long one request may take to bring what it brings', 3_600_000, 1),
  expiryMs: Milliseconds('How long an unfinished upload is kept', 86_400_000, 1)
})

const Webhook = Type.Object({
  url: Like('https://example.com/hooks/media', '^https?://[^/?#@\\s\\\\]+(/[^#\\s\\\\]*)?$', { description: 'Who is told, by POST' }),
  secret: SecretText('By what messages are signed: at least 32 bytes'),
  secretFile: File('A file that holds it'),
  events: List('What is told', Type.Unsafe<EventType>({ type: 'string', enum: [...eventTypes] }), [...eventTypes]),
  mounts: List('Prefixes of the mounts that it is told of; without any, all', Prefix('A prefix'), []),
  timeoutMs: Milliseconds('How long its answer may take', 10_000, 1),
  attempts: Count('How often one message is sent until it is put aside as a dead letter', 12, 100),
  firstRetryMs: Milliseconds('How long after the first failure it is sent again; each time twice as long, up to an hour', 1000, 1),
  ca: File('A PEM file of the authorities that are trusted, instead of the system\'s')
}, { ...strict, description: 'A server that is told' })

export type WebhookConfig = Static<typeof Webhook>

/** Who is told of what was written. */
export const Events = Section('Who is told of files that were written and deleted', {
  webhooks: defaulted(Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$' }), Webhook, { ...strict, description: 'Servers that are told, by name', examples: [{ search: { url: 'https://example.com/hooks/media', secretFile: 'webhook.key' } }] }), {}),
  stream: Type.Optional(Type.Object({
    redis: Like('redis://localhost:6379', '^rediss?://[^\\s]+$', { description: 'The Redis server' }),
    key: defaulted(Type.String({ description: 'The stream', minLength: 1, maxLength: 256 }), 'fastify-media:events'),
    maxLength: Count('About how many messages it keeps', 100_000, 100_000_000)
  }, { ...strict, description: 'A Redis stream that all are written to' }))
})

export type EventsConfig = Static<typeof Events>

/** The API for programs. */
export const Api = Type.Object({
  prefix: defaulted(Prefix('Where it begins'), '/api/v1'),
  access: Access,
  rateLimit: Type.Optional(RateLimit),
  docs: Flag('Whether it has a page that documents it, below `/docs`', true)
}, { ...strict, description: 'An API for programs: lists, looks at, uploads, deletes, moves, purges and signs. What it does to a mount has to be allowed by the rules of that mount too. Without it there is none' })

export type ApiConfig = Static<typeof Api>
