import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { ApiMount } from '../../lib/api/api-mounts.ts'
import { targetOf } from '../../lib/api/named-path.ts'
import type { Entry as EntrySchema, MountFacts, Stat } from '../../lib/api/schemas.ts'
import { typeOf } from '../../lib/http/media-type.ts'
import { isoDate } from '../../lib/iso-date.ts'
import type { Entry, Found } from '../../lib/sources/source.ts'

/* What answers of the API are made of. */

/** What stays undefined is no member of an answer. */
type Loosely<T> = { readonly [K in keyof T]: T[K] | undefined }

/** Whole where it is known how clients reach this server, else from its root. */
export function urlOf ({ publicBase }: FastifyRequest, path: string): string {
  return `${publicBase ?? ''}${targetOf(path)}`
}

export function factsOf ({ config: { delivery, permission, images }, prefix }: ApiMount): Static<typeof MountFacts> {
  return { prefix: prefix === '' ? '/' : prefix, delivery, permission, variants: delivery === 'serve' && images.mode !== 'off' }
}

/** @param directory with a slash at its end */
export function entryOf (request: FastifyRequest, directory: string, { name, kind, size, lastModified }: Entry): Loosely<Static<typeof EntrySchema>> {
  const path = `${directory}${name}${kind === 'directory' ? '/' : ''}`
  return { name, path, url: urlOf(request, path), kind, type: kind === 'file' ? typeOf(name) : undefined, size, lastModified: isoDate(lastModified) }
}

export function statOf (request: FastifyRequest, asked: string, found: Found): Loosely<Static<typeof Stat>> {
  if (found.kind === 'directory') {
    const path = asked.endsWith('/') ? asked : `${asked}/`
    return { path, url: urlOf(request, path), kind: 'directory' }
  }
  const { type, size, entityTag, lastModified } = found.representation
  return { path: asked, url: urlOf(request, asked), kind: 'file', type, size, entityTag, lastModified: isoDate(lastModified) }
}
