import closeWithGrace from 'close-with-grace'
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { destination, pino } from 'pino'
import media from './app.ts'
import type { Config } from './lib/config/schema.ts'
import { serverOptions } from './plugins/errors.ts'

/** Log lines are written together when this many bytes are there, or after a second. */
const LOG_BUFFER_BYTES = 8192

/**
 * Serves a checked configuration until a signal. SIGTERM and SIGINT fail readiness first, then
 * finish what is in flight; a second signal, or the deadline, ends it.
 *
 * @returns the app, listening
 */
export async function startServer (config: Readonly<Config>): Promise<FastifyInstance> {
  const { server, log } = config
  const output = destination({ ...(log.file === undefined ? {} : { dest: log.file, append: true, mkdir: true }), sync: false, minLength: LOG_BUFFER_BYTES })
  const logger = pino({ level: log.level, base: null }, output)
  const flushing = setInterval(() => output.flush(), 1000).unref()

  const app = fastify({
    ...serverOptions,
    loggerInstance: logger as FastifyBaseLogger,
    connectionTimeout: server.idleTimeoutMs,
    forceCloseConnections: 'idle'
  })
  closeWithGrace({ delay: server.shutdownDelayMs + server.shutdownDeadlineMs, logger }, async function stop ({ signal, err }) {
    if (err !== undefined) logger.fatal({ err }, 'the server failed')
    app.readiness.fail(signal ?? 'failure')
    if (signal === 'SIGTERM') await new Promise(resolve => setTimeout(resolve, server.shutdownDelayMs))
    await app.close()
    clearInterval(flushing)
    output.flushSync()
  })
  await app.register(media, config as never)
  await app.listen({ host: server.host, port: server.port })
  return app
}
