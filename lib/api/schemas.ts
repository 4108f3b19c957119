import Type from 'typebox'
import { failures, type FailureCode } from '../errors.ts'
import type { ImageInfo } from '../image/info/info.ts'
import { inputFormats } from '../image/format.ts'
import { MAX_PATH_BYTES } from '../paths/request-path.ts'

/* What the API takes and gives: the one truth about it, for checks, for the types of its handlers and for its document. */

export const strict = { additionalProperties: false } as const

const Words = <const T extends string>(words: readonly T[], description: string, extra = {}) => Type.Unsafe<T>({ type: 'string', enum: [...words], description, ...extra })

/** A path below the root of the server, decoded. */
export const Path = (description: string, example: string) => Type.String({ description, pattern: '^/', maxLength: MAX_PATH_BYTES, examples: [example] })
const Url = (description: string) => Type.String({ description: `${description}, absolute where it is known how clients reach this server`, format: 'uri-reference' })
const Time = (description: string) => Type.String({ description: `${description}, in UTC`, format: 'date-time' })
/** As clients give it. */
const GivenTime = (description: string) => Type.String({ description: `${description}, in UTC`, format: 'date-time', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,3})?Z$', examples: ['2027-01-31T12:00:00Z'] })

/** RFC 9457. */
export const Problem = Type.Object({
  type: Type.String({ description: 'Names the kind of problem', examples: ['urn:fastify-media:not-found'] }),
  title: Type.String({ description: 'The kind of problem in words' }),
  status: Type.Integer({ description: 'The status of the answer', minimum: 400, maximum: 599 }),
  code: Words(Object.keys(failures) as FailureCode[], 'The same as `type`, for programs'),
  detail: Type.Optional(Type.String({ description: 'What is wrong with this request' })),
  requestId: Type.Optional(Type.String({ description: 'Names the request in the log of the server' }))
}, { ...strict, description: 'Why a request failed (RFC 9457)' })

export const MountFacts = Type.Object({
  prefix: Type.String({ description: 'Where its paths begin', examples: ['/photos'] }),
  delivery: Words(['serve', 'proxy', 'gateway', 'redirect', 'auto'], 'How its bytes reach clients: only of `serve` files can be listed and looked at here'),
  permission: Words(['read', 'read-write'], 'What clients may do with it at most'),
  variants: Type.Boolean({ description: 'Whether it makes variants of pictures' })
}, { ...strict, description: 'A mount' })

export const Mounts = Type.Object({ mounts: Type.Array(MountFacts) }, strict)

const fileFacts = {
  type: Type.Optional(Type.String({ description: 'Media type', examples: ['image/jpeg'] })),
  size: Type.Optional(Type.Integer({ description: 'Bytes', minimum: 0 })),
  lastModified: Type.Optional(Time('When it was last changed'))
}
const Kind = Words(['file', 'directory'], 'What it is')

export const Entry = Type.Object({
  name: Type.String({ description: 'Its name in the directory' }),
  path: Type.String({ description: 'Its path, decoded: that of a directory ends in a slash' }),
  url: Url('Its URL'),
  kind: Kind,
  ...fileFacts
}, { ...strict, description: 'A member of a directory' })

export const Listing = Type.Object({
  path: Type.String({ description: 'That of the directory, with a slash at its end' }),
  entries: Type.Array(Entry, { description: 'In order of name. There may be fewer than were asked for, and more behind them: `next` tells' }),
  next: Type.Optional(Type.String({ description: 'The cursor of the next page; without it there is none' })),
  truncated: Type.Optional(Type.Boolean({ description: 'There are more members than are ever listed' }))
}, { ...strict, description: 'A page of a directory' })

export const Stat = Type.Object({
  path: Type.String({ description: 'Its path, decoded: that of a directory ends in a slash' }),
  url: Url('Its URL'),
  kind: Kind,
  ...fileFacts,
  entityTag: Type.Optional(Type.String({ description: 'That of the file at its URL, with its quotes: what `If-Match` of an upload, a deletion and a move takes', examples: ['"68a1-19a7c2b"'] }))
}, { ...strict, description: 'A file or a directory' })

const count = (description: string) => Type.Integer({ description, minimum: 0 })

/** What is told of a picture. */
export const PictureFacts = Type.Object({
  format: Words(inputFormats, 'Format'),
  type: Type.String({ description: 'Media type' }),
  bytes: count('Bytes of the file'),
  width: count('Pixels of one frame, upright'),
  height: count('Pixels of one frame, upright'),
  stored: Type.Object({ width: count('Pixels'), height: count('Pixels') }, { ...strict, description: 'As the file has them, before it is turned upright' }),
  orientation: Type.Integer({ description: 'EXIF orientation', minimum: 1, maximum: 8 }),
  frames: count('Frames of an animation, or pages'),
  delays: Type.Optional(Type.Array(Type.Number(), { description: 'Milliseconds' })),
  loop: Type.Optional(count('How often an animation runs; 0 for ever')),
  alpha: Type.Boolean({ description: 'Whether it has an alpha channel' }),
  colourSpace: Type.String({ description: 'Colour space' }),
  profile: Type.Optional(Type.String({ description: 'The name of the embedded colour profile' })),
  bitDepth: count('Bits of one sample'),
  channels: count('Channels'),
  progressive: Type.Boolean({ description: 'Whether it is shown coarse first' }),
  density: Type.Optional(Type.Number({ description: 'Pixels per inch, as the file says' })),
  exif: Type.Optional(Type.Unsafe<NonNullable<ImageInfo['exif']>>({ type: 'object', description: 'What the camera says' })),
  place: Type.Optional(Type.Unsafe<NonNullable<ImageInfo['place']>>({ type: 'object', description: 'Where it was taken, where the mount allows to tell' })),
  dominantColour: Type.String({ description: '`#rrggbb`' }),
  blurHash: Type.String({ description: 'https://blurha.sh' }),
  thumbHash: Type.String({ description: 'In base64: https://evanw.github.io/thumbhash/' }),
  placeholder: Type.String({ description: 'A data URI of a picture of 20 pixels' })
}, { ...strict, description: 'What a picture is' })

export const Purged = Type.Object({
  tag: Type.String({ description: 'What was purged, as caches know it', examples: ['original:/photos/cat.jpg'] }),
  behind: Type.Array(Type.String(), { description: 'Instances that did not take note in time, and may still give what is older for a while' })
}, { ...strict, description: 'What became of a purge' })

export const SignedUrl = Type.Object({
  url: Url('The URL with its signature'),
  expires: Time('From when on it is refused')
}, { ...strict, description: 'A signed URL' })

export const Move = Type.Object({
  from: Path('The path of the file, decoded', '/photos/cat.jpg'),
  to: Path('The path that it gets, in the same mount', '/photos/2027/cat.jpg'),
  overwrite: Type.Optional(Type.Boolean({ description: 'Whether a file that is there is replaced, where the mount allows that', default: false }))
}, strict)

export const Purge = Type.Object({
  what: Type.String({ description: 'The URL of an original or its path, percent-encoded; one that ends in `/` for everything below it; `*` for everything; or any tag', minLength: 1, maxLength: MAX_PATH_BYTES, examples: ['/photos/cat.jpg'] })
}, strict)

export const signedMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'POST', 'PATCH', 'DELETE'] as const

export const Sign = Type.Object({
  path: Type.String({ description: 'What is to be signed: a path as it stands in URLs, percent-encoded, with the query that asks for a variant', pattern: '^/', maxLength: 8192, examples: ['/photos/cat.jpg?w=320'] }),
  strategy: Type.Optional(Type.String({ description: 'The strategy that signs, where the mount takes the signatures of several', maxLength: 256 })),
  method: Type.Optional(Words(signedMethods, 'The method that the URL is for; HEAD comes with GET', { default: 'GET' })),
  expiresIn: Type.Optional(Type.Integer({ description: 'How long the URL holds, in seconds; one hour without it, or less where the strategy takes less', minimum: 1, maximum: 315_360_000 })),
  expires: Type.Optional(GivenTime('From when on it is refused, instead of `expiresIn`')),
  notBefore: Type.Optional(GivenTime('Until when it is refused')),
  address: Type.Optional(Type.String({ description: 'The IP address of the client that it is for; of IPv6 its network of 64 bits counts', maxLength: 64, examples: ['192.0.2.7'] }))
}, strict)
