import { createHash } from 'node:crypto'
import { show } from '../config/mistakes.ts'

/** Algorithms of Subresource Integrity with the bytes of their hashes, the strongest first. */
const algorithms = { sha512: 64, sha384: 48, sha256: 32 } as const

/** What the bytes of a file are promised to hash to. */
export interface PromisedHash {
  readonly algorithm: keyof typeof algorithms
  /** In base64: any of them will do. */
  readonly hashes: readonly string[]
}

const member = /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})$/

/**
 * Reads hashes as Subresource Integrity writes them, one or several with spaces between. Of
 * several algorithms the strongest counts alone (SRI §3.3.4).
 *
 * @throws {TypeError} where one is none, so that a slip of the pen is no promise of nothing
 */
export function promisedHash (text: string): PromisedHash {
  const members = text.trim().split(/\s+/).map(word => {
    const [, name = '', hash = ''] = member.exec(word) ?? []
    if (!isAlgorithm(name)) throw new TypeError(`Expected hashes such as sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= but received ${show(word)}`)
    const bytes = Buffer.from(hash, 'base64')
    if (bytes.length !== algorithms[name]) throw new TypeError(`Expected a hash of ${algorithms[name]} bytes for ${name} but received one of ${bytes.length}: ${show(word)}`)
    return { name, hash: bytes.toString('base64') }
  })
  const algorithm = (Object.keys(algorithms) as Array<keyof typeof algorithms>).find(name => members.some(each => each.name === name)) as keyof typeof algorithms
  return { algorithm, hashes: members.filter(({ name }) => name === algorithm).map(({ hash }) => hash) }
}

function isAlgorithm (name: string): name is keyof typeof algorithms {
  return Object.hasOwn(algorithms, name)
}

/** Takes bytes, and tells in the end what they hash to and whether that was promised. */
export interface HashCheck {
  update (bytes: Buffer): void
  /** Once. */
  finish (): { readonly isKept: boolean, readonly hash: string }
}

/** Begins to hash one body. */
export function hashCheck ({ algorithm, hashes }: PromisedHash): HashCheck {
  const running = createHash(algorithm)
  return {
    update: bytes => { running.update(bytes) },
    finish: () => {
      const hash = running.digest('base64')
      return { isKept: hashes.includes(hash), hash: `${algorithm}-${hash}` }
    }
  }
}
