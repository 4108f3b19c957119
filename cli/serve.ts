import { parseArgs } from 'node:util'
import type { Environment } from '../lib/config/environment.ts'
import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import { startServer } from '../server.ts'
import { readEnvironment } from './environment.ts'

/**
 * `fastify-media serve [directory]`: serves a directory, or what a configuration file says.
 * A directory on the command line stands before a configuration file in the working directory.
 */
export default async function serve (args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { config: { type: 'string' }, host: { type: 'string' }, port: { type: 'string' } }
  })
  const environment: Environment = { ...await readEnvironment(), ...(values.host === undefined ? {} : { HOST: values.host }), ...(values.port === undefined ? {} : { PORT: values.port }) }
  const [directory] = positionals
  const { config } = await loadConfig({
    cwd: process.cwd(),
    environment,
    file: values.config ?? (directory === undefined ? undefined : null),
    fallback: directoryConfig(directory ?? environment.MEDIA_ROOT)
  })
  const app = await startServer(config)
  console.error(`Serving ${config.mounts.length} ${config.mounts.length === 1 ? 'mount' : 'mounts'} on ${app.listeningOrigin}`)
}
