import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

/** @fastify/http-proxy with nothing around it. `ORIGIN`, `PORT`. */

const { ORIGIN, PORT } = process.env
const app = fastify()
await app.register(httpProxy, { upstream: ORIGIN })
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
