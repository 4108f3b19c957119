/** The shortest secret that signs, in bytes: as many as SHA-256 has (RFC 7518 §3.2). */
const MIN_SECRET_BYTES = 32
/** Fewer different bytes than this are a pattern, whatever their number. */
const MIN_DIFFERENT_BYTES = 8

/** Secrets that stand in documentation, ours and others': everybody has them. */
export const exampleSecrets: readonly string[] = Object.freeze([
  'change-me-change-me-change-me-change-me',
  'correct-horse-battery-staple-correct-horse',
  'your-256-bit-secret',
  'your-384-bit-secret',
  'your-512-bit-secret',
  'a-string-secret-at-least-256-bits-long',
  'a-valid-string-secret-that-is-at-least-384-bits-long',
  'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
  'an-example-secret-that-is-never-used-anywhere',
  'super-secret-jwt-token-with-at-least-32-characters-long'
])

/** Whether a secret is one of {@link exampleSecrets}, in any case and with white space around. Asked at start alone. */
export function isExampleSecret (secret: string): boolean {
  return exampleSecrets.includes(secret.trim().toLowerCase())
}

/**
 * Why a secret is none; undefined for a good one. Never holds any of it.
 *
 * @param secret as it is used: its bytes are those of UTF-8
 */
export function secretMistake (secret: string): string | undefined {
  if (isExampleSecret(secret)) return 'is an example of a documentation, which everybody has'
  const bytes = Buffer.from(secret)
  if (bytes.length < MIN_SECRET_BYTES) return `has ${bytes.length} bytes, fewer than ${MIN_SECRET_BYTES}`
  const different = new Set(bytes).size
  return different < MIN_DIFFERENT_BYTES ? `has ${different} different bytes, fewer than ${MIN_DIFFERENT_BYTES}` : undefined
}
