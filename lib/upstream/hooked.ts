import { MediaError } from '../errors.ts'
import type { IncomingHead, SubstituteAnswer, UpstreamHooks } from './hooks.ts'
import type { Sender } from './message.ts'

/** Who is asked, and what the app has to say about it. */
export interface HookedUpstream<Request> {
  readonly upstream: Sender
  readonly hooks?: UpstreamHooks<Request> | undefined
  /** Senders that `hooks.resolve` may name. */
  readonly named?: ((name: string) => Sender | undefined) | undefined
}

/** Who is asked for one request: the mount's own upstream, or whom the app names. @throws {MediaError} `internal` where it names nobody */
export async function senderFor<Request> ({ upstream, hooks, named }: HookedUpstream<Request>, request: Request): Promise<Sender> {
  const resolved = await hooks?.resolve?.(request)
  if (resolved === undefined || resolved === upstream.name) return upstream
  if (typeof resolved !== 'string') return resolved
  const sender = named?.(resolved)
  if (sender === undefined) throw new MediaError('internal', { cause: new TypeError(`Expected resolve to name an upstream but received ${resolved}`) })
  return sender
}

/**
 * The head of an answer as the app wants it.
 *
 * @throws {TypeError} where it gives a status that no answer can have
 */
export async function headFor<Request> ({ hooks }: HookedUpstream<Request>, head: IncomingHead, request: Request): Promise<IncomingHead> {
  const own = await hooks?.rewriteResponse?.({ status: head.status, headers: head.headers }, request)
  return own === undefined ? head : withFinalStatus(own)
}

/**
 * What an app answers in place of an upstream that failed; undefined where it leaves that to the problem.
 *
 * @throws what its hook throws
 */
export async function substituteFor<Request> ({ hooks }: HookedUpstream<Request>, error: unknown, request: Request): Promise<SubstituteAnswer | undefined> {
  if (!(error instanceof MediaError)) return undefined
  const substitute = await hooks?.onUpstreamError?.(error, request)
  return substitute === undefined ? undefined : withFinalStatus(substitute)
}

function withFinalStatus<Head extends IncomingHead> (head: Head): Head {
  if (Number.isInteger(head.status) && head.status >= 200 && head.status <= 599) return head
  throw new TypeError(`Expected a final status but received ${String(head.status)}`)
}
