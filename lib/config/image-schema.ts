import Type from 'typebox'
import { DISK_STORE_BYTES } from '../cache/disk-store.ts'
import { memoryStoreDefaults } from '../cache/memory-store.ts'
import { inputFormats } from '../image/format.ts'
import { workQueueDefaults } from '../image/work-queue.ts'
import { workerPoolDefaults } from '../image/workers/worker-options.ts'
import { defaultQualities, defaultWidths } from '../transform/limits.ts'
import { MAX_SIDE } from '../transform/operations.ts'
import { Bytes, Count, defaulted, FilePath, Flag, Like, List, Milliseconds, Section, strict, Words } from './schema-parts.ts'

const VariantCache = Section('Where variants are kept once they are made', {
  memoryBytes: Bytes('Finished variants kept in memory', memoryStoreDefaults.totalBytes),
  directory: defaulted(Type.String({ description: 'The directory of the tier on disk: absolute, or from the configuration file\'s own. Several processes may share it', minLength: 1, env: 'IMAGE_CACHE' }), '.cache'),
  diskBytes: Bytes('What is kept on disk; the variants unused for the longest go first. 0 keeps nothing there', DISK_STORE_BYTES),
  redis: Type.Optional(Like('redis://localhost:6379', '^rediss?://[^\\s]+$', { description: 'A Redis server that instances share, in place of the disk', env: 'IMAGE_CACHE_REDIS' })),
  s3: Type.Optional(Type.Object({
    source: Type.String({ description: 'The name of a source of driver `s3`', minLength: 1 }),
    prefix: defaulted(Like('.variants/', '^(?:[^/\\\\\\x00-\\x1f]+/)*$', { description: 'What begins the names of objects; it ends in a slash. Beginning with a dot, it is hidden from sources of the same bucket' }), '.variants/'),
    days: Count('How many days a variant is kept', 30, 3650)
  }, { ...strict, description: 'A bucket that instances share, in place of the disk: purges reach all of them where `redis` is there too' }))
})

/** How variants are made and kept. */
export const ImageWork = Section('How variants are made, for all mounts together', {
  workers: defaulted(Type.Integer({ description: 'Processes that make variants; 0 is one for each core', minimum: 0, maximum: 256, env: 'IMAGE_WORKERS' }), 0),
  deadlineMs: Milliseconds('How long one variant may take until its worker is ended, where its mount says nothing else', workerPoolDefaults.deadlineMs, 1),
  workerBytes: Bytes('The memory at which one worker is ended', workerPoolDefaults.workerBytes),
  totalBytes: Bytes('The memory of all workers together at which the largest is ended', workerPoolDefaults.totalBytes),
  idleMs: Milliseconds('How long a worker without work stays', workerPoolDefaults.idleMs, 1),
  hostileMs: Milliseconds('How long an original whose worker had to be ended is refused, and what cannot be made of another is not tried again', 60_000),
  maxWaiting: Count('The most variants that wait to be made; what comes then is told to come again', workQueueDefaults.maxWaiting, 1_000_000),
  maxWaitMs: Milliseconds('How long one may wait', workQueueDefaults.maxWaitMs, 1),
  pixelsInFlight: Count('Pixels that are decoded at the same time, of four bytes each; what needs more is made alone', workQueueDefaults.pixels, Number.MAX_SAFE_INTEGER),
  cacheHeader: Flag('Whether answers carry `X-Cache`', true),
  tagHeaders: Flag('Whether variants carry `Cache-Tag` and `Surrogate-Key`, by which a CDN purges them', true),
  cache: VariantCache
})

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

/** What a mount makes variants of, and within which bounds. */
export const Images = Section('Variants of pictures by URL', {
  mode: Words('`off` makes none, `snapped` rounds sizes and qualities up to a list, `presets` makes what presets name and nothing else, `signed` what a signed URL asks for, `open` everything within the limits', ['off', 'open', 'snapped', 'presets', 'signed'], 'snapped'),
  signedBy: Type.Optional(Type.String({ description: 'For mode `signed`: the name of the strategy whose signatures count; without it, the only one with driver `signed`', minLength: 1 })),
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
