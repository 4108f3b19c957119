import { readFile, stat } from 'node:fs/promises'
import { normalize } from 'node:path/posix'
import type { Static } from 'typebox'
import { ConfigError, show, type Mistake } from '../config/mistakes.ts'
import type { Integrity } from '../config/upstream-schema.ts'
import { promisedHash, type PromisedHash } from './promised-hash.ts'

/** The section `integrity` of a mount, its manifest as an absolute path. */
export type IntegrityOptions = Readonly<Static<typeof Integrity>>

/** Bytes of a manifest: about half a million files. Whoever writes it pushes against it. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024

/** The most mistakes that are told at once. */
const MAX_MISTAKES = 20

/**
 * The hashes of all files by their key. What the configuration says of a file goes before what its
 * manifest says.
 *
 * @throws {ConfigError} where the manifest cannot be read, or a hash or a path is none
 */
export async function promisedFiles ({ files, manifest }: IntegrityOptions): Promise<Map<string, PromisedHash>> {
  const own = hashesOf(files, 'integrity.files')
  if (manifest === undefined) return own
  const all = hashesOf(await readManifest(manifest), manifest)
  for (const [key, hash] of own) all.set(key, hash)
  return all
}

/**
 * The key of a file, whichever way its path is spelled: without dot segments, empty segments and
 * slashes around it.
 *
 * @param path decoded
 */
export function fileKey (path: string): string {
  return normalize(`/${path}`).replace(/^\/+/, '').replace(/\/$/, '')
}

async function readManifest (file: string): Promise<Record<string, unknown>> {
  try {
    const { size } = await stat(file)
    if (size > MAX_MANIFEST_BYTES) throw new RangeError(`Expected at most ${MAX_MANIFEST_BYTES} bytes but received ${size}`)
    const text = await readFile(file, 'utf8')
    const value = JSON.parse(text.replace(/^\uFEFF/, '')) as unknown
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    throw new TypeError('Expected an object of hashes by path')
  } catch (error) {
    throw new ConfigError([{ path: '', message: `It cannot be read: ${(error as Error).message}` }], file)
  }
}

function hashesOf (files: Record<string, unknown>, origin: string): Map<string, PromisedHash> {
  const hashes = new Map<string, PromisedHash>()
  const mistakes: Mistake[] = []
  for (const [path, text] of Object.entries(files)) {
    try {
      addHash(hashes, fileKey(path), text)
    } catch (error) {
      mistakes.push({ path: path.slice(0, 200), message: (error as Error).message })
    }
  }
  if (mistakes.length > MAX_MISTAKES) mistakes.splice(MAX_MISTAKES, Infinity, { path: '', message: `… and ${mistakes.length - MAX_MISTAKES} more` })
  if (mistakes.length > 0) throw new ConfigError(mistakes, origin)
  return hashes
}

function addHash (hashes: Map<string, PromisedHash>, key: string, text: unknown): void {
  if (key === '') throw new TypeError('Expected the path of a file')
  if (typeof text !== 'string') throw new TypeError(`Expected a text with hashes but received ${show(text)}`)
  const hash = promisedHash(text)
  const known = hashes.get(key)
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(hash)) throw new TypeError(`Expected one promise for ${key} but received another under another spelling`)
  hashes.set(key, hash)
}
