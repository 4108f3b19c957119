/*
 * Numbers out of a file's first bytes. Beyond their end every number is NaN, which
 * no comparison holds for: a loop over offsets ends there by itself.
 */

export function u8 (bytes: Uint8Array, at: number): number {
  return bytes[at] ?? Number.NaN
}

export function u16 (bytes: Uint8Array, at: number): number {
  return u8(bytes, at) * 0x100 + u8(bytes, at + 1)
}

export function u16le (bytes: Uint8Array, at: number): number {
  return u8(bytes, at) + u8(bytes, at + 1) * 0x100
}

export function u24le (bytes: Uint8Array, at: number): number {
  return u16le(bytes, at) + u8(bytes, at + 2) * 0x10000
}

export function u32 (bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2)
}

export function u32le (bytes: Uint8Array, at: number): number {
  return u16le(bytes, at) + u16le(bytes, at + 2) * 0x10000
}

/** `length` bytes as Latin-1, or fewer at the end. */
export function text (bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}

/** Whether the bytes at an offset are those of a Latin-1 text. */
export function has (bytes: Uint8Array, at: number, expected: string): boolean {
  for (let n = 0; n < expected.length; n++) {
    if (bytes[at + n] !== expected.charCodeAt(n)) return false
  }
  return true
}
