import type { AccessRequest, Strategy, Verdict } from '../../../lib/access/access.ts'
import { ask, raw, serve, type Test } from '../../helpers/app.ts'

/** A request as a strategy sees it, from lines of fields. */
export function asked (lines: ReadonlyArray<readonly [string, string]> = [], facts: Partial<AccessRequest> = {}): AccessRequest {
  const headers: Record<string, string> = {}
  for (const [name, value] of lines) headers[name.toLowerCase()] ??= value
  return { method: 'GET', target: '/photos/cat.jpg', mount: '/photos', path: '/photos/cat.jpg', address: '192.0.2.1', isFromTrustedProxy: false, certificate: undefined, headers, rawHeaders: lines.flat(), ...facts }
}

/** What a strategy says of requests over real sockets. */
export interface Judging {
  ask (headers: Record<string, string | string[]>, method?: string): Promise<Verdict>
  /** The status line and what follows it. */
  raw (bytes: string | Buffer): Promise<string>
}

/** A server that answers each request with what a strategy says of it. */
export async function judging (t: Test, strategy: Strategy, facts: Partial<AccessRequest> = {}): Promise<Judging> {
  const served = await serve(t, app => {
    app.all('/*', async function judge ({ raw: { method, headers, rawHeaders } }) {
      return await strategy.judge({ ...asked([], facts), method: method as string, headers, rawHeaders })
    })
  })
  return {
    ask: async (headers, method = 'GET') => JSON.parse((await ask(served, '/photos/cat.jpg', { method, headers })).text) as Verdict,
    raw: async bytes => await raw(served, bytes)
  }
}
