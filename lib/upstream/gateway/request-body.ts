import { finished, PassThrough, type Readable } from 'node:stream'

/**
 * A request's body to give away: whoever takes it may destroy it, as undici does when an answer
 * comes early or none comes, and the client's connection stays, so that it gets its answer. It
 * fails where the client leaves before its end.
 */
export function lent (source: Readable): Readable {
  const body = new PassThrough()
  body.on('error', () => {}) // it may be destroyed before anybody listens
  finished(source, { writable: false }, error => {
    if (error !== undefined && error !== null) body.destroy(error)
  })
  return source.pipe(body)
}
