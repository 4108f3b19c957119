/** Bits of a channel that tell one colour from another: 16 × 16 × 16 kinds. */
const BITS = 4

/**
 * The colour that most of a picture has, as `#rrggbb`: the mean of the fullest of 4,096 cells.
 * Transparent pixels count by what is seen of them; a picture of nothing else is black.
 *
 * @param rgba 8-bit samples, colours not multiplied by alpha
 */
export function dominantColour (rgba: Uint8Array): string {
  const weights = new Float64Array(1 << 3 * BITS)
  const sums = new Float64Array(3 << 3 * BITS)
  let best = 0
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = rgba.subarray(at, at + 4)
    const cell = cellOf(red) << 2 * BITS | cellOf(green) << BITS | cellOf(blue)
    const weight = (weights[cell] ?? 0) + alpha
    weights[cell] = weight
    for (const [channel, value] of [red, green, blue].entries()) sums[3 * cell + channel] = (sums[3 * cell + channel] ?? 0) + alpha * value
    if (weight > (weights[best] ?? 0)) best = cell
  }
  const weight = weights[best] ?? 0
  const mean = [0, 1, 2].map(channel => weight === 0 ? 0 : Math.round((sums[3 * best + channel] ?? 0) / weight))
  return `#${mean.map(value => value.toString(16).padStart(2, '0')).join('')}`
}

function cellOf (sample: number): number {
  return sample >> 8 - BITS
}
