/**
 * An animation as GIF89a, for ever repeated.
 *
 * @param animation width, height, a palette of RGB triples (a power of two, at most 256),
 *   frames of one place in the palette for each pixel, and the delay between them in hundredths of a second
 */
export function encodeGif ({ width, height, palette, frames, delay }) {
  const bits = Math.max(2, 31 - Math.clz32(palette.length))
  const bytes = [
    ...Buffer.from('GIF89a'), ...words(width, height), 0x80 | (bits - 1), 0, 0, ...palette.flat(),
    0x21, 0xff, 11, ...Buffer.from('NETSCAPE2.0'), 3, 1, ...words(0), 0
  ]
  for (const frame of frames) {
    bytes.push(0x21, 0xf9, 4, 0, ...words(delay), 0, 0, 0x2c, ...words(0, 0, width, height), 0, bits)
    const codes = compressed(frame, bits)
    for (let start = 0; start < codes.length; start += 255) {
      const block = codes.slice(start, start + 255)
      bytes.push(block.length, ...block)
    }
    bytes.push(0)
  }
  return Buffer.from([...bytes, 0x3b])
}

/** Sixteen bits each, the low ones first. */
const words = (...values) => values.flatMap(value => [value & 255, value >> 8])

/** LZW with codes of growing width, as GIF wants it: 12 bits at the most, then a new dictionary. */
function compressed (frame, bits) {
  const clear = 1 << bits
  const out = bitWriter()
  let dictionary = new Map()
  let width = bits + 1
  let next = clear + 2
  let prefix = frame[0]
  out.write(clear, width)
  for (const value of frame.subarray(1)) {
    const key = prefix * 256 + value
    const known = dictionary.get(key)
    if (known !== undefined) {
      prefix = known
      continue
    }
    out.write(prefix, width)
    prefix = value
    if (next === 4096) {
      out.write(clear, width)
      dictionary = new Map()
      width = bits + 1
      next = clear + 2
      continue
    }
    dictionary.set(key, next)
    if (next === 1 << width) width++
    next++
  }
  out.write(prefix, width)
  out.write(clear + 1, width)
  return out.bytes()
}

function bitWriter () {
  const bytes = []
  let held = 0
  let count = 0
  return {
    write (value, width) {
      held |= value << count
      for (count += width; count >= 8; count -= 8) {
        bytes.push(held & 255)
        held >>>= 8
      }
    },
    bytes: () => count > 0 ? [...bytes, held & 255] : bytes
  }
}
