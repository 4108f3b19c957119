import { readFileSync } from 'node:fs'
import fastifyJwt from '@fastify/jwt'
import fastifyRateLimit from '@fastify/rate-limit'
import { loggedFastify } from '../lib/logged-fastify.mjs'

/**
 * The same bytes from memory with nothing around them, by @fastify/jwt as its documentation shows
 * it, and by @fastify/rate-limit. `FILE`, `PORT`, `SECRET`, `ISSUER`, `AUDIENCE`, `LOG_FILE` (none: no log).
 */

const { FILE, PORT, SECRET, ISSUER, AUDIENCE, LOG_FILE } = process.env
const app = loggedFastify(LOG_FILE)
await app.register(fastifyJwt, { secret: SECRET, verify: { algorithms: ['HS256'], allowedIss: ISSUER, allowedAud: AUDIENCE } })
await app.register(fastifyRateLimit, { global: false })

const body = readFileSync(FILE)
function sendBody (_request, reply) { reply.type('image/jpeg').send(body) }

app.get('/plain', sendBody)
app.get('/jwt', { onRequest: async function verifyToken (request) { await request.jwtVerify() } }, sendBody)
app.get('/limited', { config: { rateLimit: { max: 1_000_000_000, timeWindow: 60_000 } } }, sendBody)
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
