import { MediaError } from '../errors.ts'
import { discard } from './discard.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from './message.ts'
import { fileKey, promisedFiles, type IntegrityOptions } from './promised-files.ts'
import type { PromisedHash } from './promised-hash.ts'
import { verifiedBody } from './verified-body.ts'

export type { IntegrityOptions } from './promised-files.ts'

/** What is known of the files of a mount. */
export interface IntegrityPromises {
  /**
   * The promise about one file, or undefined where nothing is known and nothing has to be.
   *
   * @param path below the mount, percent-encoded as it came, without a query
   * @throws {MediaError} `not-found` where nothing is known but has to be
   */
  readonly check: (path: string) => FileIntegrity | undefined
}

/** The promise about one file. */
export interface FileIntegrity {
  /** Fields for its origin: all of it is asked for, without a coding, since only that has the hash. */
  requestHeaders (fields: Fields): Fields
  /**
   * The same answer, its body verified. Answers without one, and those that are not the file
   * (redirects, 304, errors), stay as they are.
   *
   * @throws {MediaError} `upstream-content`: the body came whole and is another, or cannot be verified
   */
  verify (asked: Pick<UpstreamRequest, 'method'>, response: UpstreamResponse, name: string): UpstreamResponse
}

/**
 * Reads what is promised about files, once.
 *
 * @throws {ConfigError} where the manifest cannot be read, or a hash or a path is none
 */
export async function integrityOf (options: IntegrityOptions): Promise<IntegrityPromises> {
  const files = await promisedFiles(options)
  return {
    check: path => {
      const key = keyOf(path)
      const promise = key === undefined ? undefined : files.get(key)
      if (key !== undefined && promise !== undefined) return fileIntegrity(key, promise)
      if (options.mandatory) throw new MediaError('not-found', { detail: 'Nothing is promised about this file, and only files with a promise are here' })
      return undefined
    }
  }
}

/** Undefined for what is no path: it names no file that anyone could have promised something of. */
function keyOf (path: string): string | undefined {
  try {
    return fileKey(decodeURIComponent(path))
  } catch {
    return undefined
  }
}

function fileIntegrity (key: string, promise: PromisedHash): FileIntegrity {
  return {
    requestHeaders: ({ range: _range, 'if-range': _ifRange, ...fields }) => ({ ...fields, 'accept-encoding': 'identity' }),
    verify: ({ method }, response, name) => {
      const { status, headers, body } = response
      if (method === 'HEAD' || status < 200 || status >= 300) return response
      const refusal = refusalOf(status, headers)
      if (refusal !== undefined) {
        discard(body)
        throw new MediaError('upstream-content', { detail: `The file that ${name} sent cannot be verified: ${refusal}`, context: { key } })
      }
      return { status, headers, body: verifiedBody({ body, promise, key, name }), trailers: () => response.trailers() }
    }
  }
}

function refusalOf (status: number, headers: Fields): string | undefined {
  if (status === 206) return 'it came in part'
  const coding = headers['content-encoding']?.toString().trim().toLowerCase() ?? ''
  return coding === '' || coding === 'identity' ? undefined : 'it came in a coding'
}

/**
 * A sender that gives out no file other than as promised. It belongs behind a cache, which then
 * keeps, and answers ranges of, what was verified.
 *
 * @param below the path that the mount begins at on the upstream, without a slash at the end
 */
export function verifyingSender (sender: Sender, promises: IntegrityPromises, below: string): Sender {
  return {
    name: sender.name,
    async send (request) {
      const file = promises.check(pathWithin(request.path, below))
      if (file === undefined) return await sender.send(request)
      return file.verify(request, await sender.send({ ...request, headers: file.requestHeaders(request.headers) }), sender.name)
    }
  }
}

function pathWithin (target: string, below: string): string {
  const [path = ''] = target.split('?', 1)
  return path.startsWith(`${below}/`) ? path.slice(below.length) : path
}
