import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import type { Environment } from '../lib/config/environment.ts'

/** The process's environment over that of the `.env` file in the working directory, if there is one. */
export async function readEnvironment (): Promise<Environment> {
  const text = await readFile('.env', 'utf8').catch(() => '')
  return { ...parseEnv(text), ...process.env }
}
