import Type, { type Static } from 'typebox'
import type { FailureCode } from '../errors.ts'
import { MAX_CURSOR } from './listing-page.ts'
import { Listing, Mounts, Move, Path, PictureFacts, Purge, Purged, Sign, SignedUrl, Stat, strict } from './schemas.ts'

/** The most members of one page of a listing. */
export const MAX_PAGE = 1000

/** An answer that is none of a failure. */
export interface Success {
  readonly description: string
  /** Without it there is no body. */
  readonly schema?: Type.TSchema
  readonly headers?: Readonly<Record<string, string>>
}

/** One operation of the API: routes, checks, document and tests are made of these records. */
export interface Operation {
  readonly method: 'GET' | 'PUT' | 'DELETE' | 'POST'
  /** Below the prefix of the API. */
  readonly url: string
  readonly summary: string
  readonly description: string
  readonly query?: Type.TObject
  /** JSON, or `any` for the bytes of a file. */
  readonly body?: Type.TObject | 'any'
  readonly headers?: Type.TObject
  readonly answers: Readonly<Record<number, Success>>
  /** How it may fail, beside what every operation may fail with. */
  readonly failures: readonly FailureCode[]
}

const field = (description: string) => Type.Optional(Type.String({ description }))
const reading = Type.Object({ 'If-Match': field('Tags of answers, one of which has to be the present one'), 'If-None-Match': field('Tags of answers that are known: where one is the present one, the answer is 304') })
const changing = Type.Object({ 'If-Match': field('Tags of the file, one of which it has to have; `*` where it has to be there') })
const uploading = Type.Object({
  ...changing.properties,
  'If-None-Match': field('`*` where nothing may be there yet'),
  'Content-Digest': field('What the content hashes to (RFC 9530)')
})

const tagged = { ETag: 'Changes with the answer' }
const notModified: Success = { description: 'It is as it was known', headers: tagged }

/** All operations. Who adds one adds a handler in `routes/api/`, and a case to its test. */
export const operations = {
  listMounts: {
    method: 'GET',
    url: '/mounts',
    summary: 'Mounts',
    description: 'The mounts that whoever asks may read.',
    headers: reading,
    answers: { 200: { description: 'The mounts', schema: Mounts, headers: tagged }, 304: notModified },
    failures: ['precondition-failed']
  },
  listDirectory: {
    method: 'GET',
    url: '/list',
    summary: 'Members of a directory',
    description: 'A page of the members of a directory, in order of name, also where the mount shows no listings. Asked for as `GET` of the directory.',
    headers: reading,
    query: Type.Object({
      path: Path('The path of the directory, decoded; a slash at its end may be left out', '/photos/'),
      limit: Type.Optional(Type.Integer({ description: 'The most members of the page', minimum: 1, maximum: MAX_PAGE, default: 100 })),
      cursor: Type.Optional(Type.String({ description: 'Where the page begins: `next` of the one before', minLength: 1, maxLength: MAX_CURSOR, pattern: '^[A-Za-z0-9_-]+$', examples: ['MTAwL2NhdC5qcGc'] }))
    }, strict),
    answers: { 200: { description: 'A page', schema: Listing, headers: { ...tagged, Link: 'The next page (`rel="next"`, RFC 8288), where there is one' } }, 304: notModified },
    failures: ['bad-request', 'bad-path', 'not-found', 'precondition-failed']
  },
  stat: {
    method: 'GET',
    url: '/stat',
    summary: 'A file or a directory',
    description: 'What is known of a file without looking into it. Asked for as `GET` of the path.',
    headers: reading,
    query: Type.Object({ path: Path('The path, decoded; that of a directory may end in a slash', '/photos/cat.jpg') }, strict),
    answers: { 200: { description: 'What it is', schema: Stat, headers: tagged }, 304: notModified },
    failures: ['bad-request', 'bad-path', 'not-found', 'precondition-failed']
  },
  describePicture: {
    method: 'GET',
    url: '/info',
    summary: 'A picture',
    description: 'What a picture is: size, format, colours, what the camera says. Asked for as `GET` of the path, within what the mount tells of its pictures.',
    headers: reading,
    query: Type.Object({ path: Path('The path of the picture, decoded', '/photos/cat.jpg') }, strict),
    answers: { 200: { description: 'What it is', schema: PictureFacts, headers: tagged }, 304: notModified },
    failures: ['bad-request', 'bad-path', 'forbidden', 'not-found', 'precondition-failed', 'unsupported-image', 'broken-image', 'image-too-large', 'image-too-costly', 'busy']
  },
  uploadFile: {
    method: 'PUT',
    url: '/file',
    summary: 'Upload a file',
    description: 'Writes a file, whole or not at all, within the rules of the mount. Asked for as `PUT` of the path.',
    headers: uploading,
    query: Type.Object({ path: Path('The path that the file gets, decoded', '/photos/cat.jpg') }, strict),
    body: 'any',
    answers: {
      201: { description: 'It is there', headers: { Location: 'Its URL', ETag: 'That of the file, where it is kept as it was sent' } },
      204: { description: 'It took the place of the one before', headers: { 'Content-Location': 'Its URL', ETag: 'That of the file, where it is kept as it was sent' } }
    },
    failures: ['bad-request', 'bad-path', 'bad-name', 'bad-digest', 'forbidden', 'not-found', 'request-timeout', 'conflict', 'precondition-failed', 'body-too-large', 'unsupported-media-type', 'broken-image', 'image-too-large', 'insufficient-storage', 'quota-exceeded']
  },
  deleteFile: {
    method: 'DELETE',
    url: '/file',
    summary: 'Delete a file',
    description: 'Removes a file, and directories above it that are empty then. Asked for as `DELETE` of the path.',
    headers: changing,
    query: Type.Object({ path: Path('The path of the file, decoded', '/photos/cat.jpg') }, strict),
    answers: { 204: { description: 'It is gone' } },
    failures: ['bad-request', 'bad-path', 'bad-name', 'forbidden', 'not-found', 'conflict', 'precondition-failed']
  },
  moveFile: {
    method: 'POST',
    url: '/move',
    summary: 'Move a file',
    description: 'Gives a file another path in the same mount. Asked for as `GET` and `DELETE` of the one path and `PUT` of the other. `If-Match` is about the file that is moved.',
    headers: changing,
    body: Move,
    answers: {
      200: { description: 'It took the place of the one that was there', schema: Stat, headers: { 'Content-Location': 'Its URL' } },
      201: { description: 'It is there', schema: Stat, headers: { Location: 'Its URL' } }
    },
    failures: ['bad-request', 'bad-path', 'bad-name', 'forbidden', 'not-found', 'conflict', 'precondition-failed', 'body-too-large', 'unsupported-media-type', 'insufficient-storage']
  },
  purge: {
    method: 'POST',
    url: '/purge',
    summary: 'Purge caches',
    description: 'Forgets variants, and what origins answered: nothing older is given afterwards. Asked for as `DELETE` of what is purged: of a whole mount where a directory holds it, of every mount for `*` and for tags.',
    body: Purge,
    answers: { 200: { description: 'It is purged', schema: Purged } },
    failures: ['bad-request', 'bad-path', 'forbidden', 'not-found', 'body-too-large', 'unsupported-media-type']
  },
  signUrl: {
    method: 'POST',
    url: '/sign',
    summary: 'Sign a URL',
    description: 'Signs a URL that its mount takes signed. Asked for as a request of the method that is signed: nobody can sign what they may not do, nor for longer than a token or a key of theirs holds.',
    body: Sign,
    answers: { 200: { description: 'It is signed', schema: SignedUrl } },
    failures: ['bad-request', 'bad-path', 'forbidden', 'not-found', 'body-too-large', 'unsupported-media-type']
  }
} as const satisfies Record<string, Operation>

export type OperationId = keyof typeof operations

/** What every operation may fail with. */
export const commonFailures = ['unauthorized', 'forbidden', 'internal', 'unavailable'] as const satisfies readonly FailureCode[]

type StaticOf<O, K extends string> = O extends Record<K, infer S extends Type.TSchema> ? Static<S> : undefined

/** The query of an operation, once it was checked. */
export type QueryOf<I extends OperationId> = StaticOf<typeof operations[I], 'query'>
/** The JSON body of an operation, once it was checked. */
export type BodyOf<I extends OperationId> = StaticOf<typeof operations[I], 'body'>
