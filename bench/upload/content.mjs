import { createCipheriv, hash } from 'node:crypto'

export const KIB = 1024
export const MIB = 1024 * KIB

/** Bytes that look random and are the same in every run: none of them happen to begin like a known type. */
export function contentOf (size) {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** RFC 9530 §2. */
export function digestOf (bytes) {
  return `sha-256=:${hash('sha256', bytes, 'base64')}:`
}
