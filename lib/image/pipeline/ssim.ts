/** Pixels of a window's side, and between windows: half overlapping, as is usual for block windows. */
const WINDOW = 8
const STEP = 4

/** Constants that keep flat windows from dividing by nothing: (0.01 · 255)² and (0.03 · 255)². */
const C1 = 6.5025
const C2 = 58.5225

/**
 * Structural similarity of two pictures of 8-bit samples: Wang, Bovik, Sheikh and Simoncelli
 * 2004, equation 13, averaged over 8 × 8 windows. 1 for equal ones, about 0.95 where a
 * difference begins to be seen.
 *
 * @param channels samples of one pixel; each is compared by itself and the mean is given. One for luma.
 * @throws {RangeError} where a buffer is not of that size
 */
export function ssim (a: Uint8Array, b: Uint8Array, { width, height, channels = 1 }: { width: number, height: number, channels?: number }): number {
  const length = width * height * channels
  if (!(length > 0) || a.length !== length || b.length !== length) throw new RangeError(`Expected two pictures of ${width} × ${height} × ${channels} samples but received ${a.length} and ${b.length}`)
  let sum = 0
  let windows = 0
  const [across, down] = [Math.min(WINDOW, width), Math.min(WINDOW, height)]
  for (const y of starts(height)) {
    for (const x of starts(width)) {
      for (let channel = 0; channel < channels; channel++) {
        sum += likeness(a, b, { start: (y * width + x) * channels + channel, across, down, stride: width * channels, step: channels })
        windows++
      }
    }
  }
  return sum / windows
}

/** Where windows begin; the last lies at the edge, so that every pixel counts. */
function starts (length: number): number[] {
  const last = Math.max(0, length - WINDOW)
  const found = Array.from({ length: Math.floor(last / STEP) + 1 }, (_, n) => n * STEP)
  if (found.at(-1) !== last) found.push(last)
  return found
}

interface Window { start: number, across: number, down: number, stride: number, step: number }

function likeness (a: Uint8Array, b: Uint8Array, { start, across, down, stride, step }: Window): number {
  let [sumA, sumB, squares, products] = [0, 0, 0, 0]
  let squaresB = 0
  for (let y = 0; y < down; y++) {
    const row = start + y * stride
    for (let at = row; at < row + across * step; at += step) {
      const [one, two] = [a[at] ?? 0, b[at] ?? 0]
      sumA += one
      sumB += two
      squares += one * one
      squaresB += two * two
      products += one * two
    }
  }
  const count = across * down
  const [meanA, meanB] = [sumA / count, sumB / count]
  const spread = squares / count - meanA * meanA + squaresB / count - meanB * meanB
  const shared = products / count - meanA * meanB
  return ((2 * meanA * meanB + C1) * (2 * shared + C2)) / ((meanA * meanA + meanB * meanB + C1) * (spread + C2))
}
