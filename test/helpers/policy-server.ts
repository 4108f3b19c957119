import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from './app.ts'
import { origin, type OriginRequest } from './origin/polite.ts'

/** What a policy decides by, as OPA gets it. */
export interface PolicyInput {
  readonly method: string
  readonly path: readonly string[]
  readonly url: string
  readonly mount: string
  readonly address: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** A policy: `result` of OPA's answer; undefined where no rule defines it. */
export type Rule = (input: PolicyInput) => unknown

/** Answers instead of the policy. */
export type Misbehaviour = (response: ServerResponse) => unknown

/** A server that evaluates a policy as Open Policy Agent does, and keeps what it was asked. */
export interface PolicyServer {
  /** For `protocol: opa`. */
  readonly url: string
  /** The same policy for `protocol: request`: true is 204, false 403, undefined 401. */
  readonly subrequestUrl: string
  readonly requests: readonly OriginRequest[]
  readonly inputs: readonly PolicyInput[]
  /** From now on it answers so; without anything it is well again. */
  misbehave (how?: Misbehaviour): void
  /** From now on answers wait until the returned function is called. */
  hold (): () => void
  /** Stops listening and resets what is open. */
  close (): Promise<void>
}

/** Never says a word. */
export const silent: Misbehaviour = () => {}

/** Sends a head and the beginning of its answer, and then nothing. */
export const endless: Misbehaviour = response => { response.write('{"result": true') }

/** Resets the connection instead of an answer. */
export const dies: Misbehaviour = response => { response.socket?.resetAndDestroy() }

/** Resets the connection when a permission is out, but not its end. */
export const diesMidway: Misbehaviour = response => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
  response.write('{"result": true}', () => response.socket?.resetAndDestroy())
}

/** Answers with this, whatever is asked. */
export function says (body: string | Buffer, status = 200, headers: Record<string, string> = { 'Content-Type': 'application/json' }): Misbehaviour {
  return response => { response.writeHead(status, headers).end(body) }
}

/** Starts it on a free loopback port; closed after the test. */
export async function policyServer (t: Test, rule: Rule): Promise<PolicyServer> {
  const inputs: PolicyInput[] = []
  let misbehaviour: Misbehaviour | undefined
  let held: Promise<void> | undefined
  const server = await origin(t, async (request, response, { body }) => {
    const isOpa = request.method === 'POST' && request.url?.startsWith('/v1/data/') === true
    const input = isOpa ? (JSON.parse(String(body)) as { input: PolicyInput }).input : inputOf(request)
    inputs.push(input)
    await held
    if (misbehaviour !== undefined) return misbehaviour(response)
    return (isOpa ? decide : admit)(response, rule(input))
  }, { gather: true })
  return {
    url: `${server.url}/v1/data/media/allow`,
    subrequestUrl: `${server.url}/auth?for=media`,
    requests: server.requests,
    inputs,
    misbehave (how) { misbehaviour = how },
    hold () {
      const { promise, resolve } = withResolvers()
      held = promise
      return resolve
    },
    close: async () => await server.close()
  }
}

function withResolvers (): { promise: Promise<void>, resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>(done => { resolve = done })
  return { promise, resolve: () => resolve() }
}

function decide (response: ServerResponse, result: unknown): void {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ decision_id: '0d0e', result }))
}

/** A policy that tells a principal tells it in a field. */
function admit (response: ServerResponse, result: unknown): void {
  const { allow = result, principal } = (typeof result === 'object' ? result : {}) as { allow?: unknown, principal?: string }
  if (principal !== undefined) response.setHeader('X-Auth-User', principal)
  response.writeHead(allow === undefined ? 401 : allow === true ? 204 : 403).end()
}

function inputOf ({ headers, headersDistinct }: IncomingMessage): PolicyInput {
  const told = (name: string): string => String(headers[name])
  const path = decodeURIComponent(told('x-original-path')).split('/').filter(Boolean)
  const lines = Object.entries(headersDistinct).map(([name, values = []]) => [name, values.length > 1 ? values : values[0]])
  return { method: told('x-original-method'), path, url: told('x-original-uri'), mount: told('x-original-mount'), address: told('x-client-address'), headers: Object.fromEntries(lines) as PolicyInput['headers'] }
}
