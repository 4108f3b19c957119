import { crc32 } from './crc32.mjs'
import { deflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const COLOUR_TYPES = { 1: 3, 3: 2, 4: 6 }

/**
 * A picture as PNG (https://www.w3.org/TR/png-3/), eight bits a channel.
 *
 * @param picture width, height, pixels (a byte for each channel), and channels: 3 for RGB, 4
 *   with alpha, 1 for places in a palette of RGB triples
 */
export function encodePng ({ width, height, channels, pixels, palette }) {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    ...(palette === undefined ? [] : [chunk('PLTE', Buffer.from(palette.flat()))]),
    chunk('IDAT', deflateSync(filtered(pixels, width * channels, channels), { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0))
  ])
}

function chunk (type, content) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(content.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}

/** Each row by the filter that leaves the smallest differences; places in a palette have none that mean anything. */
function filtered (pixels, stride, step) {
  const rows = pixels.length / stride
  const out = Buffer.alloc(pixels.length + rows)
  const candidate = new Uint8Array(stride)
  for (let row = 0; row < rows; row++) {
    const start = row * (stride + 1)
    let least = Infinity
    for (const [kind, predict] of (step === 1 ? predictors.slice(0, 1) : predictors).entries()) {
      let sum = 0
      for (let place = 0; place < stride; place++) {
        const at = row * stride + place
        const left = place < step ? 0 : pixels[at - step]
        const above = row === 0 ? 0 : pixels[at - stride]
        const corner = row === 0 || place < step ? 0 : pixels[at - stride - step]
        const difference = (pixels[at] - predict(left, above, corner)) & 255
        candidate[place] = difference
        sum += difference < 128 ? difference : 256 - difference
      }
      if (sum >= least) continue
      least = sum
      out[start] = kind
      out.set(candidate, start + 1)
    }
  }
  return out
}

/** None, Sub, Up, Average and Paeth, in the order of their numbers. */
const predictors = [
  () => 0,
  left => left,
  (_left, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const guess = left + above - corner
    const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)]
    if (toLeft <= toAbove && toLeft <= toCorner) return left
    return toAbove <= toCorner ? above : corner
  }
]
