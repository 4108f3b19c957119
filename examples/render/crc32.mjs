const table = Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** The checksum of PNG and gzip (ISO 3309). zlib.crc32 came with Node 22, and 20 is to render too. */
export function crc32 (bytes) {
  let value = ~0
  for (const byte of bytes) value = table[(value ^ byte) & 255] ^ (value >>> 8)
  return ~value >>> 0
}
