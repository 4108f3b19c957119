import { MediaError } from '../../errors.ts'
import { discard } from '../discard.ts'
import type { Sender, UpstreamRequest } from '../message.ts'
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
      discard(first.body)
      const second = request.body === undefined ? await sender.send(asWhole(sent)) : first
      if (!rewriter.isPartOfText(second)) return rewriter.rewrite(request, second)
      discard(second.body)
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
