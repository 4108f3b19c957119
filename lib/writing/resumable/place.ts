import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../../access/access.ts'
import type { Key } from '../../paths/request-path.ts'
import type { MountWriter } from '../mount-writer.ts'
import { principalName } from '../parts.ts'

/** A request of the protocol. */
export interface ResumableRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: IncomingMessage
  /** By this it is known when the client leaves. Nothing is written to it. */
  readonly response: ServerResponse
}

/** Where an upload is asked for, and by whom: asked elsewhere, or by another, it is not there. */
export interface ResumablePlace {
  /** The mount, by what tells it from others. */
  readonly mount: string
  readonly directory: Key
  /** The upload, as `resumableAt` reads it; undefined where a new one is asked for. */
  readonly id: string | undefined
  readonly principal: Principal | null
  /** Of one file. */
  readonly maxBytes: number
  readonly writer: MountWriter
  /** The URL of an upload: that of the directory, then `/.uploads/`, then its id. */
  readonly urlOf: (id: string) => string
  /** The URL of a file, by its path below the root of the app. */
  readonly pathUrl: (path: string) => string
  /** Asked before anything is sent: throws what is certain already. `waiting`: bytes of other uploads of this principal that are not finished. */
  readonly admit?: ((file: { readonly filename: string | undefined, readonly declaredType: string | undefined, readonly size: number | undefined, readonly waiting: number }) => Promise<void>) | undefined
}

/** What is answered; it has no body. */
export interface ResumableAnswer {
  readonly status: number
  readonly headers: Record<string, string>
}

/** The name of an upload on disk, which tells whose it is and where it goes: nobody else can spell it. */
export function nameOf ({ principal, mount, directory }: ResumablePlace, id: string): string {
  return digest(principalName(principal)) + digest(JSON.stringify([mount, directory])) + id
}

/** Tells where the file is that an upload became. */
export function withFile ({ status, headers }: ResumableAnswer, path: string | undefined): ResumableAnswer {
  return { status, headers: path === undefined ? headers : { ...headers, 'content-location': path } }
}

function digest (text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
