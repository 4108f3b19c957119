import { createServer } from 'node:http'
import { destination, pino } from 'pino'
import sirv from 'sirv'

/** sirv under node:http. `ROOT`, `PORT`, `LOG_FILE` (none: no log). */

const { ROOT, PORT, LOG_FILE } = process.env
const LOG_BUFFER_BYTES = 4096

const serve = sirv(ROOT, { etag: true })
const output = LOG_FILE === undefined ? undefined : destination({ dest: LOG_FILE, sync: false, minLength: LOG_BUFFER_BYTES })
const logger = output === undefined ? undefined : pino({ base: null }, output)

createServer(logger === undefined ? serve : serveLogged).listen(Number(PORT), '127.0.0.1')

process.once('SIGTERM', function end () {
  output?.flushSync()
  process.exit(0)
})

function serveLogged (request, response) {
  const started = performance.now()
  response.once('close', function writeLine () {
    logger.info({ method: request.method, path: request.url, status: response.statusCode, ms: performance.now() - started }, 'request')
  })
  serve(request, response)
}
