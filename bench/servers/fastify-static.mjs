import fastifyStatic from '@fastify/static'
import fastify, { LogController } from 'fastify'
import { destination, pino } from 'pino'

/** @fastify/static with nothing around it. `ROOT`, `PORT`, `LOG_FILE` (none: no log). */

const { ROOT, PORT, LOG_FILE } = process.env
const app = fastify({
  ...(LOG_FILE === undefined ? {} : { loggerInstance: pino(destination({ dest: LOG_FILE, sync: false, minLength: 4096 })) }),
  logController: new LogController({ disableRequestLogging: true })
})
// one line a request, in batches, as every server here
if (LOG_FILE !== undefined) {
  app.addHook('onResponse', function logRequest (request, reply, done) {
    request.log.info({ method: request.method, path: request.url, status: reply.statusCode, ms: reply.elapsedTime }, 'request')
    done()
  })
}
await app.register(fastifyStatic, { root: ROOT })
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
