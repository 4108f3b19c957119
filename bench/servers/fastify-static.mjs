import fastifyStatic from '@fastify/static'
import { loggedFastify } from '../lib/logged-fastify.mjs'

/** @fastify/static with nothing around it. `ROOT`, `PORT`, `LOG_FILE` (none: no log). */

const { ROOT, PORT, LOG_FILE } = process.env
const app = loggedFastify(LOG_FILE)
await app.register(fastifyStatic, { root: ROOT })
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
