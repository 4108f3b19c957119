/** What a body has to hash to (RFC 9530 §2): fed with its bytes in order, asked once at their end. */
export interface DigestCheck {
  update (chunk: Buffer): void
  /** @throws {MediaError} `bad-digest` */
  verify (): void
  /** SHA-256 of the bytes in hexadecimal, after `verify`, where it was asked for: it need not be made again. */
  readonly sha256?: string | undefined
}
