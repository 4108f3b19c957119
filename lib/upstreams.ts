import { resolveConfig } from './config/resolve.ts'
import type { ConfigInput } from './config/schema.ts'
import type { Sender } from './upstream/message.ts'
import type { OriginState } from './upstream/origins.ts'
import { openUpstreams, type UpstreamLog } from './upstream/registry.ts'

export type { IncomingHead, OutgoingRequest, SubstituteAnswer, UpstreamHooks } from './upstream/hooks.ts'
export type { Fields, Sender, UpstreamRequest, UpstreamResponse } from './upstream/message.ts'
export type { OriginState } from './upstream/origins.ts'

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string]

/** An upstream for routes of one's own, and what it holds open. */
export interface OpenUpstream {
  readonly sender: Sender
  /** The same servers over connections of their own, for bodies that do not end. */
  readonly live: Sender
  state (): readonly OriginState[]
  /** Takes an origin out of service, or back. @throws {RangeError} where there is none of the label */
  drain (label: string, draining?: boolean): void
  /** Ends its health checks and every connection. */
  close (): Promise<void>
}

/** Where an upstream is opened. */
export interface UpstreamSurroundings {
  /** The directory that names of PEM files start from. */
  readonly base: string
  readonly log?: UpstreamLog | undefined
}

/**
 * Opens an upstream for `reply.proxy` in a route of one's own; the root app does the same for
 * its mounts.
 *
 * @param name by which problems and logs call it
 * @throws {ConfigError} with every mistake in the options
 *
 * @example
 * const assets = await openUpstream('assets', { origins: [{ url: 'http://127.0.0.1:8080' }] }, { base: process.cwd() })
 * app.get('/assets/*', (request, reply) => reply.proxy({ prefix: '/assets', upstream: assets.sender }))
 */
export async function openUpstream (name: string, options: UpstreamInput, { base, log = { info () {}, warn () {} } }: UpstreamSurroundings): Promise<OpenUpstream> {
  const { config } = await resolveConfig({ upstreams: { [name]: options } }, { base })
  const upstreams = await openUpstreams(config, log)
  const upstream = upstreams.named(name)
  if (upstream === undefined) throw new TypeError(`There is no upstream ${name}`)
  return {
    sender: upstream,
    live: upstream.live,
    state: () => upstream.origins.state(),
    drain: (label, draining) => upstreams.drain(label, draining),
    close: async () => await upstreams.close()
  }
}
