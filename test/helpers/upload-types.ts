import { MediaError } from '../../lib/errors.ts'

/** What may be written to a mount unless its configuration says otherwise. */
export const defaultTypes = ['image/*', 'video/*', 'audio/*', 'font/*', 'text/plain', 'text/csv', 'text/markdown', 'application/json', 'application/pdf', 'application/zip', 'application/gzip', 'application/octet-stream']

/** The bytes of a text; strings beyond ASCII are UTF-8, unless they hold bytes that are no text. */
export function head (content: string | Buffer): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : content
}

/** What the helpers need of a test: to compare. */
export interface Comparing {
  equal (found: unknown, wanted: unknown, message: string): unknown
}

/** The code with which it is refused, or what came of it. */
export async function codeOf (run: () => unknown): Promise<unknown> {
  try {
    return await run()
  } catch (error) {
    return error instanceof MediaError ? error.code : error
  }
}

/** Holds a check to refusing what was sent, by its type or its name. */
export async function refused (t: Comparing, checked: Promise<string>, what: string, code = 'unsupported-media-type'): Promise<void> {
  t.equal(await codeOf(async () => await checked), code, what)
}
