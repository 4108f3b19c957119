import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import { redact } from '../lib/config/redact.ts'
import { readEnvironment } from './environment.ts'
import { readArguments } from './usage.ts'

/** `fastify-media check-config [FILE]`: prints the configuration with every default, without secrets; or every mistake. */
export default async function checkConfig (args: string[]): Promise<void> {
  const { positional: file } = readArguments(args, {})
  const environment = await readEnvironment()
  const { config, secrets } = await loadConfig({ cwd: process.cwd(), environment, file, fallback: directoryConfig(environment.MEDIA_ROOT) })
  console.log(JSON.stringify(redact(config, secrets), null, 2))
}
