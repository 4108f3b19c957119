import fp from 'fastify-plugin'

/** What there is to say of parts of the server, by their names. */
export type ReadinessDetails = Record<string, readonly unknown[]>

/** Whether new requests are welcome. */
export interface Readiness {
  /** Why they are not; undefined while they are. */
  readonly reason: string | undefined
  /** What was described, by section. */
  readonly details: Record<string, ReadinessDetails>
  /** From now on `/health/ready` answers 503, while requests are still taken. */
  fail (reason: string): void
  /**
   * Shows details in `/health/ready`, whatever they are: they fail nothing. Anybody may read
   * them, so they hold no addresses. Several apps in one host may describe one section.
   *
   * @param section a member of the answer, beside `status`
   * @param details called for each answer; it must not throw
   */
  describe (section: string, details: () => ReadinessDetails): void
}

declare module 'fastify' {
  interface FastifyInstance {
    readiness: Readiness
  }
}

/**
 * `app.readiness`: what `/health/ready` tells a load balancer. Closing the app fails it. An
 * app that has one already, registered further out, keeps it.
 */
export default fp(async function readiness (app) {
  if (app.hasDecorator('readiness')) return
  let reason: string | undefined
  const sections = new Map<string, Array<() => ReadinessDetails>>()
  app.decorate('readiness', {
    get reason () { return reason },
    get details () { return Object.fromEntries(Array.from(sections, ([section, described]) => [section, joined(described)])) },
    fail (why: string) { reason ??= why },
    describe (section: string, details: () => ReadinessDetails) {
      sections.set(section, [...sections.get(section) ?? [], details])
    }
  })
  app.addHook('preClose', function failReadiness (done) {
    app.readiness.fail('closing')
    done()
  })
}, { fastify: '5.x', name: 'fastify-media-readiness' })

/** Parts of the same name, as two apps in one host may have them, stand in one list. */
function joined (described: ReadonlyArray<() => ReadinessDetails>): ReadinessDetails {
  const parts = new Map<string, readonly unknown[]>()
  for (const [name, list] of described.flatMap(details => Object.entries(details()))) {
    parts.set(name, [...parts.get(name) ?? [], ...list])
  }
  return Object.fromEntries(parts)
}
