import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import type { Environment } from '../lib/config/environment.ts'
import { ConfigError } from '../lib/config/mistakes.ts'

/**
 * The process's environment over that of the `.env` file in the working directory, if there is one.
 *
 * @throws {ConfigError} where there is one that cannot be read
 */
export async function readEnvironment (): Promise<Environment> {
  const text = await readFile('.env', 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new ConfigError([{ path: '', message: `It cannot be read: ${error.message}` }], '.env')
  })
  return { ...parseEnv(text), ...process.env }
}
