import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { promisedFiles, type IntegrityOptions } from '../upstream/promised-files.ts'
import { record, type Loose } from './loose.ts'
import { show, spellPath, type ConfigError, type Mistake } from './mistakes.ts'

/** Bytes of a PEM file: all authorities of a system are some 250 KB. Whoever writes it pushes against it. */
const MAX_PEM_BYTES = 16 * 1024 * 1024

/** RFC 7468 §5, and what openssl writes beside it. One without its end is a block too: it cannot be read. */
const certificateBlock = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*(?:-----END [A-Z0-9 ]+-----)?/g

/** What is wrong with the PEM files that `tls` names. Whether a certificate is still valid is its origin's to say. */
export async function tlsMistakes ({ ca, cert, key }: Loose, path: string, base: string): Promise<Mistake[]> {
  const mistakes: Mistake[] = []
  const textOf = async (name: string, file: unknown): Promise<string | undefined> => {
    if (typeof file !== 'string' || file === '') return undefined
    try {
      return await readPem(resolve(base, file))
    } catch (error) {
      mistakes.push({ path: `${path}.${name}`, message: unread(resolve(base, file), error) })
      return undefined
    }
  }
  const [authorities, own, secret] = [await textOf('ca', ca), await textOf('cert', cert), await textOf('key', key)]
  const broken = [...certificateMistakes(authorities, `${path}.ca`), ...certificateMistakes(own, `${path}.cert`)]
  const isPair = own !== undefined && secret !== undefined && !broken.some(mistake => mistake.path === `${path}.cert`)
  return [...mistakes, ...broken, ...(isPair ? pairMistakes(own, secret, path) : [])]
}

async function readPem (file: string): Promise<string> {
  const stats = await stat(file)
  if (!stats.isFile()) throw new TypeError('is no file') // a pipe would be waited for
  if (stats.size > MAX_PEM_BYTES) throw new RangeError(`is larger than ${MAX_PEM_BYTES} bytes`)
  return await readFile(file, 'latin1')
}

/** That a file cannot be read, and why. */
export function unread (file: string, error: unknown): string {
  return `Expected a file that can be read but ${show(file)} ${faultOf(error)}`
}

const faults: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'is one that the server may not read'
}

function faultOf (error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === undefined ? message : faults[code] ?? `fails with ${code}`
}

function certificateMistakes (text: string | undefined, path: string): Mistake[] {
  if (text === undefined) return []
  const blocks = text.match(certificateBlock) ?? []
  if (blocks.length === 0) return [{ path, message: 'Expected a PEM file with a certificate (-----BEGIN CERTIFICATE-----) but there is none in it' }]
  return blocks.flatMap((block, place) => {
    try {
      void new X509Certificate(block)
      return []
    } catch (error) {
      return [{ path, message: `Expected certificates, but number ${place + 1} of the file cannot be read: ${reasonOf(error)}` }]
    }
  })
}

function pairMistakes (cert: string, key: string, path: string): Mistake[] {
  try {
    createSecureContext({ cert, key })
    return []
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'it is that of another' : `it cannot be read: ${reasonOf(error)}`
    return [{ path: `${path}.key`, message: `Expected the key of the certificate, in PEM and without a passphrase, but ${reason}` }]
  }
}

/** OpenSSL's words without its numbers. */
function reasonOf (error: unknown): string {
  const { reason, message } = error as Error & { reason?: string }
  return reason ?? message
}

/** What is wrong with the hashes of a mount, those of its manifest included. */
export async function promiseMistakes ({ files, manifest }: Loose, path: string, base: string): Promise<Mistake[]> {
  const written = record(files) as IntegrityOptions['files']
  const own = await mistakesOf({ files: written, mandatory: false })
  const others = typeof manifest === 'string' && manifest !== '' ? await mistakesOf({ files: {}, manifest: resolve(base, manifest), mandatory: false }) : []
  return [
    ...own.map(({ path: file, message }) => ({ path: file === '' ? `${path}.files` : spellFile(path, file), message })),
    ...others.map(({ path: file, message }) => ({ path: `${path}.manifest`, message: file === '' ? message : `${show(file)}: ${message}` }))
  ]
}

/** As the schema's mistakes spell it, so that one cause is told once. */
function spellFile (path: string, file: string): string {
  const key = spellPath(['files', file]).slice('files'.length)
  return `${path}.files${key}`
}

async function mistakesOf (options: IntegrityOptions): Promise<readonly Mistake[]> {
  try {
    await promisedFiles(options)
    return []
  } catch (error) {
    return (error as ConfigError).mistakes // it throws nothing else
  }
}
