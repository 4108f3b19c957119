import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import multipart from '@fastify/multipart'
import { loggedFastify } from '../lib/logged-fastify.mjs'

/** @fastify/multipart as its documentation shows it, each file by pipeline to disk. `ROOT`, `PORT`, `LOG_FILE`. Nothing is checked, and nothing flushed. */

const { ROOT, PORT, LOG_FILE } = process.env
const app = loggedFastify(LOG_FILE)
await app.register(multipart, { limits: { fileSize: Infinity } })
app.get('/health', async function answer () { return 'ok' })
app.post('/', async function keepFiles (request, reply) {
  for await (const { filename, file } of request.files()) await pipeline(file, createWriteStream(join(ROOT, filename)))
  return await reply.code(201).send()
})
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
