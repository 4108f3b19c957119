import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/**
 * The version of the installed engine, without loading it. Another version makes other bytes
 * of the same request, so it is a part of each variant's name.
 */
export const engineVersion = versionOf('sharp')

function versionOf (engine: string): string {
  // Its manifest is not exported: it lies above what is.
  const manifest = join(createRequire(import.meta.url).resolve(engine), '../../package.json')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
