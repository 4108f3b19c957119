import { typeOf } from '../http/media-type.ts'
import { lastSegment } from '../paths/last-segment.ts'
import { encodeSegment, type Key } from '../paths/request-path.ts'
import { climbs } from '../upstream/climbing.ts'
import type { Fields, Sender } from '../upstream/message.ts'
import { discard } from './http/discard.ts'
import { statusFailure } from './http/failures.ts'
import { single } from './http/fields.ts'
import { OriginFiles, type Wanted } from './http/origin-files.ts'
import { isRedirect, redirectedPath } from './http/same-origin.ts'
import type { Found, Source } from './source.ts'

/** How files of an HTTP origin are found. */
export interface HttpSourceOptions {
  /** Who is asked: an upstream, or a cache in front of one. */
  readonly sender: Sender
  /** The path that the source begins at, below the base path of the origin, percent-encoded. Default `/`. */
  readonly path?: string
  /** URLs of the upstream's origins, base path included: what redirects may lead to. Without them only those are followed that name no host. */
  readonly bases?: readonly string[]
  /** The most bytes of a file. Default 512 MiB. */
  readonly maxBytes?: number
  /** How long a file without a lifetime of its own is believed unchanged, in milliseconds. Default 1000. */
  readonly revalidateMs?: number
  /** Up to this many bytes a file is read whole, and kept. Default 1 MiB. */
  readonly smallBytes?: number
  /** How long that may take, in milliseconds: what comes more slowly is passed on as it comes. Default 500. */
  readonly wholeMs?: number
  /** What is kept of small files in memory, in bytes. Default 64 MiB. */
  readonly keptBytes?: number
  /** How long the body that came with a description waits to be opened, in milliseconds. */
  readonly holdMs?: number
}

/** A source over HTTP, which remembers what it was told. */
export interface OriginSource extends Source {
  /** The next who asks for a key gets it anew from the origin, however long that said that its answer is good. */
  forget (key: Key): void
  /** The next who asks, for whatever it is, has the origin tell whether it changed: after a purge. */
  doubt (): void
  /** Bodies that wait to be opened, and bytes that are kept. */
  readonly holds: { readonly bodies: number, readonly bytes: number }
}

/** What is kept where nothing else is said. */
export const httpSourceDefaults = { maxBytes: 536_870_912, revalidateMs: 1000, smallBytes: 1_048_576, wholeMs: 500, keptBytes: 67_108_864 } as const

/** Redirects of one origin that are followed: an origin that leads in a circle pushes against it. */
const MAX_REDIRECTS = 3

const directory: Found = Object.freeze({ kind: 'directory' })

/**
 * Files of an HTTP origin as a source. A file is described by the origin's own type and validators, by
 * one GET: its body waits, and is what the first who opens it gets. When its lifetime is over, one
 * conditional request tells whether it changed. What redirects to itself with a slash is a directory;
 * its members are not known.
 *
 * @example
 * const photos = httpSource({ sender: upstream, path: '/photos/' })
 * const found = await photos.stat(key)
 */
export function httpSource (options: HttpSourceOptions): OriginSource {
  const { sender, path = '/', bases = [], ...rest } = options
  const files = new OriginFiles({ ...httpSourceDefaults, ...rest, headBytes: 0, typeOf: typeOfAnswer })
  const root = path.replace(/\/+$/, '')

  async function ask (first: string, headers: Fields): ReturnType<Wanted['ask']> {
    let place = first
    for (let followed = 0; ; followed++) {
      const at = place
      const askHere = async (fields: Fields): ReturnType<Sender['send']> => await sender.send({ method: 'GET', path: at, headers: fields })
      const response = await askHere(headers)
      if (!isRedirect(response.status)) return { response, place: { name: sender.name, ask: askHere } }
      discard(response.body)
      const next = redirectedPath(response.headers, at, bases)
      if (next === undefined || followed === MAX_REDIRECTS) throw statusFailure(sender.name, response)
      if (next === `${first}/`) return 'directory'
      place = next
    }
  }

  return {
    stat (key) {
      if (key === '') return directory
      const below = pathOf(key)
      return below === undefined ? undefined : files.find({ key, ask: async headers => await ask(root + below, headers) })
    },
    async list () { return undefined },
    async close () { files.close() },
    forget: key => files.forget(key),
    doubt: () => files.doubt(),
    get holds () { return files.holds }
  }
}

/** The path of a key; undefined for one that could lead anywhere but down. */
function pathOf (key: Key): string | undefined {
  const segments = key.split('/')
  if (segments.some(segment => segment === '' || segment === '.')) return undefined
  try {
    const path = `/${segments.map(encodeSegment).join('/')}`
    return climbs(path) ? undefined : path
  } catch {
    return undefined // half of a surrogate pair: no URL can hold it
  }
}

// type "/" subtype *( ";" parameter ), RFC 9110 §8.3.1, with what a header may hold and no more.
const mediaType = /^[!#$%&'*+.^`|~\w-]{1,127}\/[!#$%&'*+.^`|~\w-]{1,127}(?:[ \t]*;[\t\x20-\x7e]*)?$/

/** What the origin says, else what the name says. */
function typeOfAnswer ({ headers, key }: { headers: Fields, key: string }): string {
  const told = single(headers, 'content-type')
  return told !== undefined && mediaType.test(told) ? told : typeOf(lastSegment(key))
}
