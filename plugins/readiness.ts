import fp from 'fastify-plugin'

/** Whether new requests are welcome. */
export interface Readiness {
  /** Why they are not; undefined while they are. */
  readonly reason: string | undefined
  /** From now on `/health/ready` answers 503, while requests are still taken. */
  fail (reason: string): void
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
  app.decorate('readiness', {
    get reason () { return reason },
    fail (why: string) { reason ??= why }
  })
  app.addHook('preClose', function failReadiness (done) {
    app.readiness.fail('closing')
    done()
  })
}, { fastify: '5.x', name: 'fastify-media-readiness' })
