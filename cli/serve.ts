import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Environment } from '../lib/config/environment.ts'
import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import type { Config } from '../lib/config/schema.ts'
import { missingFormats } from '../lib/image/workers/missing-formats.ts'
import { startServer } from '../server.ts'
import { readEnvironment } from './environment.ts'
import { readArguments, UsageError } from './usage.ts'

/**
 * `fastify-media serve [DIRECTORY]`: serves a directory, or what a configuration file says.
 * A directory on the command line stands before a configuration file in the working directory.
 */
export default async function serve (args: string[]): Promise<void> {
  const { values: { config: file, host, port }, positional: directory } = readArguments(args, {
    config: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' }
  })
  if (directory !== undefined && file !== undefined) throw new UsageError('Expected either a directory or --config but received both')
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) throw new UsageError(`Expected --port to be a number up to 65535 but received ${port}`)

  const environment = await readEnvironment()
  const { config } = await loadConfig({
    cwd: process.cwd(),
    environment: withFlags(environment, { HOST: host, PORT: port }),
    file: file ?? (directory === undefined ? undefined : null),
    fallback: directoryConfig(directory ?? environment.MEDIA_ROOT)
  })
  const app = await startServer(config)
  console.error(startLine(config, (app.server.address() as AddressInfo).port))
  setTimeout(() => void tellMissingFormats(config), LOOK_LATER_MS).unref()
}

/** The first visitors come before what only a log wants to know. */
const LOOK_LATER_MS = 1000

/** What pictures the installed engine cannot decode, although a mount allows them. */
async function tellMissingFormats ({ mounts }: Readonly<Config>): Promise<void> {
  const wanted = new Set(mounts.flatMap(({ images }) => images.mode === 'off' ? [] : images.inputs))
  if (wanted.size === 0) return
  const missing = await missingFormats(wanted).catch((error: Error) => error)
  if (missing instanceof Error) console.error(`Pictures cannot be made: ${missing.message}`)
  else if (missing.length > 0) console.error(`The installed image engine cannot decode ${missing.join(', ')}`)
}

function withFlags (environment: Environment, flags: Record<string, string | undefined>): Environment {
  return { ...environment, ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) }
}

/** What is served, and where. */
function startLine ({ server, sources, mounts }: Readonly<Config>, port: number): string {
  const anywhere = ['0.0.0.0', '::'].includes(server.host)
  const host = anywhere ? 'localhost' : server.host.includes(':') ? `[${server.host}]` : server.host
  const url = `http://${host}${port === 80 ? '' : `:${port}`}`
  const lines = mounts.map(({ prefix, source: name = '', upstream }) => {
    const source = sources[name]
    return `${upstream ?? (source?.driver === 'file' ? resolve(source.root) : name)} on ${url}${prefix}`
  })
  return lines.length === 1 ? `Serving ${lines[0]}` : [`Serving ${mounts.length} mounts on ${url}`, ...lines.map(line => `  ${line}`)].join('\n')
}
