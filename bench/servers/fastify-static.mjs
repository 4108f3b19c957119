import fastifyStatic from '@fastify/static'
import fastify from 'fastify'

/** @fastify/static with nothing around it. `ROOT`, `PORT`, `LOG_FILE` (none: no log). */

const { ROOT, PORT, LOG_FILE } = process.env
const app = fastify({ logger: LOG_FILE === undefined ? false : { file: LOG_FILE } })
await app.register(fastifyStatic, { root: ROOT })
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
