import fastify, { LogController } from 'fastify'
import { destination, pino } from 'pino'

/**
 * Bare Fastify that logs as every server here does: one line a request, in batches.
 *
 * @param {string | undefined} logFile undefined: no log
 */
export function loggedFastify (logFile) {
  const app = fastify({
    ...(logFile === undefined ? {} : { loggerInstance: pino(destination({ dest: logFile, sync: false, minLength: 4096 })) }),
    logController: new LogController({ disableRequestLogging: true })
  })
  if (logFile !== undefined) {
    app.addHook('onResponse', function logRequest (request, reply, done) {
      request.log.info({ method: request.method, path: request.url, status: reply.statusCode, ms: reply.elapsedTime }, 'request')
      done()
    })
  }
  return app
}
