import { Recent } from '../../cache/recent.ts'
import { responseRewriter, type ResponseRewriter, type RewriteOptions } from './response-rewriter.ts'

/** Names of this server that are in use at one time. Who may say `X-Forwarded-Host` pushes against it. */
const MAX_BASES = 4

/**
 * Rewriters by the URL under which a client reaches the root of this server, where that is not
 * the same for all: each is resolved when it is first asked for, and the ones used last are kept.
 *
 * @throws {RangeError} where there is too much to look for
 */
export function publicRewriters (options: RewriteOptions): (publicBase: string | undefined) => ResponseRewriter {
  const usual = responseRewriter(options)
  const others = new Recent<string, ResponseRewriter>(MAX_BASES)
  return function rewriterFor (publicBase) {
    if (publicBase === options.publicBase) return usual
    const key = publicBase ?? ''
    const known = others.get(key)
    if (known !== undefined) return known
    const rewriter = responseRewriter({ ...options, publicBase })
    others.set(key, rewriter)
    return rewriter
  }
}
