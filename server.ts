import { subscribe } from 'node:diagnostics_channel'
import type { Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { pino } from 'pino'
import media, { type MediaOptions } from './app.ts'
import { ConfigError } from './lib/config/mistakes.ts'
import type { Config } from './lib/config/schema.ts'
import { openLogOutput } from './lib/log-output.ts'
import { serverOptions } from './plugins/errors.ts'
import expectation from './plugins/expectation.ts'

/** How often connections without a request are looked for on the way down. */
const SWEEP_MS = 50

/**
 * A terminal or a service manager signals every process of a group, and npm hands the signal
 * on to this one, which then has it twice: within this time the two are one.
 */
const SAME_SIGNAL_MS = 250

/**
 * Serves a checked configuration until a signal. SIGTERM fails readiness first, and a while
 * later, like SIGINT at once, ends what only waits and lets what is being answered finish. A
 * second signal, or the deadline, ends it.
 *
 * @returns the app, listening
 * @throws {ConfigError} where the address cannot be listened on, or the log file not be written
 */
export async function startServer (config: Readonly<Config>): Promise<FastifyInstance> {
  const { server } = config
  const { logger, flush } = await openLog(config.log)
  const app = fastify({
    ...serverOptions,
    loggerInstance: logger,
    connectionTimeout: server.idleTimeoutMs
  })
  const connections = trackConnections()
  app.addHook('preClose', async function drain () { await endWaiting(connections) })
  const uninstall = stopOnSignals(config, logger, async function stop (reason) {
    if (app.hasDecorator('readiness')) app.readiness.fail(reason) // not while it starts
    if (reason === 'SIGTERM') await sleep(server.shutdownDelayMs)
    await app.close()
    await flush()
  })
  try {
    await app.register(expectation)
    await app.register(here, config)
    await app.listen({ host: server.host, port: server.port })
  } catch (error) {
    uninstall()
    await app.close()
    await flush()
    throw explained(error as NodeJS.ErrnoException, config)
  }
  return app
}

/** The root app without a scope of its own, so that its readiness is this server's. */
const here = fp<MediaOptions>(async function here (app, options) { await media(app, options) })

/** pino, writing in batches, all of them handed on when the process ends. */
async function openLog ({ file, level }: Config['log']): Promise<{ logger: FastifyBaseLogger, flush: () => Promise<void> }> {
  const output = await openLogOutput(file, error => process.stderr.write(`The log cannot be written: ${error.message}\n`)).catch((error: Error) => {
    throw new ConfigError([{ path: 'log.file', message: `Expected a file that can be written: ${error.message}` }])
  })
  process.prependListener('exit', () => output.handOn()) // before pino's own, which writes what it was handed
  return { logger: pino({ level, base: null }, output), flush: async () => await output.end() }
}

/** Connections of every server in this process: `localhost` may need two. */
function trackConnections (): ReadonlySet<Socket> {
  const connections = new Set<Socket>()
  subscribe('net.server.socket', function track (message) {
    const { socket } = message as { socket: Socket }
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return connections
}

/**
 * Stops listening and waits for the answers that are under way. Node.js ends connections that
 * are idle when it stops listening, but not those that become idle later, nor those that never
 * said anything, and browsers hold such: here nobody waits for them.
 */
async function endWaiting (connections: ReadonlySet<Socket>): Promise<void> {
  for (const { server } of connections as ReadonlySet<Socket & { server?: Server }>) server?.close()
  while (connections.size > 0) {
    for (const socket of connections as ReadonlySet<Socket & { _httpMessage?: unknown }>) {
      const { _httpMessage: answer } = socket
      if (answer === undefined || answer === null) socket.destroy()
    }
    await sleep(SWEEP_MS)
  }
}

/**
 * Ends the process by the first signal, or an error that nobody caught, once `stop` is done.
 *
 * @returns what undoes it
 */
function stopOnSignals ({ server }: Config, logger: FastifyBaseLogger, stop: (reason: string) => Promise<void>): () => void {
  let first: { reason: string, at: number } | undefined
  const grace = closeWithGrace({
    delay: server.shutdownDelayMs + server.shutdownDeadlineMs,
    logger,
    skip: ['SIGTERM', 'SIGINT', 'beforeExit']
  }, async function end ({ signal, err }) {
    first ??= { reason: err === undefined ? signal ?? 'end' : 'failure', at: performance.now() }
    if (err !== undefined) logger.fatal({ err }, 'the server failed')
    await stop(first.reason)
  })
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (first === undefined) {
      first = { reason: signal, at: now }
      grace.close()
    } else if (signal !== first.reason || now - first.at > SAME_SIGNAL_MS) {
      logger.error(`second signal ${signal}, exiting`)
      process.exit(1)
    }
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  return function uninstall () {
    grace.uninstall()
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal)
  }
}

const listenFaults: Record<string, (server: Config['server']) => { path: string, message: string }> = {
  EADDRINUSE: ({ host, port }) => ({ path: 'server.port', message: `Expected a free port but ${port} is in use on ${host}` }),
  EACCES: ({ port }) => ({ path: 'server.port', message: `Expected a port that this user may listen on but received ${port}` }),
  EADDRNOTAVAIL: ({ host }) => ({ path: 'server.host', message: `Expected an address of this machine but received ${host}` }),
  ENOTFOUND: ({ host }) => ({ path: 'server.host', message: `Expected an address of this machine but received ${host}, which is unknown` })
}

function explained (error: NodeJS.ErrnoException, { server }: Config): Error {
  const fault = ['listen', 'getaddrinfo'].includes(error.syscall ?? '') ? listenFaults[error.code ?? ''] : undefined
  return fault === undefined ? error : new ConfigError([fault(server)])
}
