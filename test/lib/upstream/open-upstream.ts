import { resolveConfig } from '../../../lib/config/resolve.ts'
import type { ConfigInput } from '../../../lib/config/schema.ts'
import { MediaError } from '../../../lib/errors.ts'
import type { Sender, UpstreamRequest, UpstreamResponse } from '../../../lib/upstream/message.ts'
import { openUpstreams } from '../../../lib/upstream/registry.ts'
import type { Upstream } from '../../../lib/upstream/upstream.ts'
import type { Test } from '../../helpers/app.ts'

/** What is written about one upstream. */
export type UpstreamInput = Partial<NonNullable<ConfigInput['upstreams']>[string]>

/** An upstream as a configuration makes it. */
export interface Opened {
  readonly upstream: Upstream
  /** What it told the log. */
  readonly told: ReadonlyArray<Record<string, unknown> & { message: string }>
}

/** Opens the upstream `assets` with the defaults of the schema, and closes it after the test. */
export async function open (t: Test, origins: string | readonly string[], options: UpstreamInput = {}): Promise<Opened> {
  const told: Array<Record<string, unknown> & { message: string }> = []
  const note = (facts: object, message: string): void => { told.push({ ...facts, message }) }
  const log = { info: note, warn: note }
  const { config } = await resolveConfig({ upstreams: { assets: { origins: [origins].flat().map(url => ({ url })), ...options } } }, { base: process.cwd() })
  const upstreams = await openUpstreams(config, log)
  t.teardown(async () => { await upstreams.close() })
  return { upstream: upstreams.named('assets') as Upstream, told }
}

/** Asks for a path. */
export async function get (sender: Sender, path = '/', request: Partial<UpstreamRequest> = {}): Promise<UpstreamResponse> {
  return await sender.send({ method: 'GET', headers: {}, path, ...request })
}

/** What a request fails with; an answer is an error here. */
export async function failureOf (answer: Promise<UpstreamResponse>): Promise<MediaError> {
  const error = await answer.then(({ status }) => new Error(`Expected a failure but received ${status}`), (reason: unknown) => reason)
  if (error instanceof MediaError) return error
  throw error
}

/** Ends what is not to be read. */
export function drop ({ body }: UpstreamResponse): void {
  if (!Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
}
