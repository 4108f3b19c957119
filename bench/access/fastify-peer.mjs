import { readFileSync } from 'node:fs'
import fastifyJwt from '@fastify/jwt'
import fastifyRateLimit from '@fastify/rate-limit'
import fastify, { LogController } from 'fastify'
import { destination, pino } from 'pino'

/**
 * The same bytes from memory with nothing around them, by @fastify/jwt as its documentation shows
 * it, and by @fastify/rate-limit. `FILE`, `PORT`, `SECRET`, `ISSUER`, `AUDIENCE`, `LOG_FILE` (none: no log).
 */

const { FILE, PORT, SECRET, ISSUER, AUDIENCE, LOG_FILE } = process.env
const app = fastify({
  ...(LOG_FILE === undefined ? {} : { loggerInstance: pino(destination({ dest: LOG_FILE, sync: false, minLength: 4096 })) }),
  logController: new LogController({ disableRequestLogging: true })
})
// one line a request, in batches, as ours
if (LOG_FILE !== undefined) {
  app.addHook('onResponse', function logRequest (request, reply, done) {
    request.log.info({ method: request.method, path: request.url, status: reply.statusCode, ms: reply.elapsedTime }, 'request')
    done()
  })
}
await app.register(fastifyJwt, { secret: SECRET, verify: { algorithms: ['HS256'], allowedIss: ISSUER, allowedAud: AUDIENCE } })
await app.register(fastifyRateLimit, { global: false })

const body = readFileSync(FILE)
function sendBody (_request, reply) { reply.type('image/jpeg').send(body) }

app.get('/plain', sendBody)
app.get('/jwt', { onRequest: async function verifyToken (request) { await request.jwtVerify() } }, sendBody)
app.get('/limited', { config: { rateLimit: { max: 1_000_000_000, timeWindow: 60_000 } } }, sendBody)
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
