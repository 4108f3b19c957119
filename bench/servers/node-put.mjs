import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/**
 * node:http with nothing around it: written aside by pipeline, then renamed. `ROOT`, `PORT`;
 * `FLUSH`: whether the file and its directory are flushed to disk before they are acknowledged.
 */

const { ROOT, PORT, FLUSH } = process.env
const isFlushed = FLUSH === 'yes'

createServer(function keep (request, response) {
  keepBody(request).then(() => response.writeHead(201, { 'content-length': 0 }).end(), error => response.destroy(error))
}).listen(Number(PORT), '127.0.0.1')

async function keepBody (request) {
  const path = join(ROOT, request.url)
  const aside = join(ROOT, `.${randomUUID()}`)
  await pipeline(request, createWriteStream(aside, { flush: isFlushed }))
  await rename(aside, path)
  if (isFlushed) await flushDirectory(dirname(path))
}

async function flushDirectory (path) {
  const directory = await open(path)
  await directory.sync()
  await directory.close()
}
