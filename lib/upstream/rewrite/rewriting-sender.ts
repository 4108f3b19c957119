import { MediaError } from '../../errors.ts'
import type { Sender, UpstreamRequest, UpstreamResponse } from '../message.ts'
import type { ResponseRewriter } from './response-rewriter.ts'

/**
 * A sender whose answers are those of the mount. It belongs in front of a cache, which keeps what
 * the origin said. A part of a text that is to be changed is asked for again as a whole: the
 * answer to a `Range` is then 200, as any server may answer (RFC 9110 §14.2).
 */
export function rewritingSender (sender: Sender, rewriter: ResponseRewriter): Sender {
  return {
    name: sender.name,
    async send (request) {
      const sent = { ...request, headers: rewriter.requestHeaders(request), onInformation: informer(request, rewriter) }
      // A body goes out once: what it is an answer to must not be asked for in parts.
      const first = await sender.send(request.body === undefined ? sent : asWhole(sent))
      if (!rewriter.isPartOfText(first)) return rewriter.rewrite(request, first)
      discard(first)
      const second = request.body === undefined ? await sender.send(asWhole(sent)) : first
      if (!rewriter.isPartOfText(second)) return rewriter.rewrite(request, second)
      discard(second)
      throw new MediaError('upstream-malformed', { detail: `The server ${sender.name} answered with a part where the whole was asked for` })
    }
  }
}

function informer ({ onInformation }: UpstreamRequest, rewriter: ResponseRewriter): UpstreamRequest['onInformation'] {
  return onInformation === undefined ? undefined : (status, headers) => onInformation(status, rewriter.fields(headers))
}

function asWhole (request: UpstreamRequest): UpstreamRequest {
  const { range: _range, 'if-range': _ifRange, ...headers } = request.headers
  return { ...request, headers }
}

/** The rest of it is for nobody. */
function discard ({ body }: UpstreamResponse): void {
  if (Buffer.isBuffer(body)) return
  body.on('error', () => {}) // it is given up: how it ends is of no interest
  body.destroy()
}
