import { clamp, colour, cosine, log2, mix, noise, scale, scattered, sine, smooth } from './exact.mjs'
import { encodeGif } from './gif.mjs'
import { encodePng } from './png.mjs'

/** Calls `shade` with four places within each pixel, so that edges come out soft, and keeps their mean. */
function drawn (width, height, channels, shade) {
  const pixels = new Uint8Array(width * height * channels)
  const offsets = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += channels) {
      const samples = offsets.map(([right, down]) => shade(x + right, y + down))
      for (let channel = 0; channel < channels; channel++) {
        pixels[at + channel] = Math.round(samples.reduce((sum, sample) => sum + sample[channel], 0) / 4)
      }
    }
  }
  return { width, height, channels, pixels }
}

/** Hills behind hills at dusk, each paler than the one before it. */
export function dusk () {
  const [width, height] = [800, 534]
  const sky = ['#1d1b4c', '#5b2f7d', '#c2527f', '#f58f6c', '#ffd08a'].map(colour)
  const [near, far, sun] = ['#120f2e', '#d9798a', '#fff1c4'].map(colour)
  const layers = [0, 1, 2, 3, 4].map(layer => ({
    tint: mix(far, near, layer / 4),
    ridge: Array.from({ length: width * 2 }, (_, x) => height * (0.56 + layer * 0.095) - hill(x / width / 2, layer) * height * (0.13 - layer * 0.012))
  }))
  return encodePng(drawn(width, height, 3, (x, y) => {
    const ground = layers.findLast(({ ridge }) => y > ridge[Math.floor(x * 2)])
    if (ground !== undefined) return mix(ground.tint, far, 0.35 * smooth(0.5, 1.1, 1 - (y / height - 0.45)))
    const distance = Math.sqrt((x - 590) ** 2 + (y - 252) ** 2)
    if (distance < 34) return sun
    return mix(scale(sky, y / height / 0.66), sun, 0.5 * (1 - smooth(34, 240, distance)))
  }))
}

function hill (place, seed) {
  let sum = 0
  for (let octave = 0, size = 3, weight = 1; octave < 6; octave++, size *= 2.1, weight *= 0.46) sum += noise(place * size + seed * 3.7, seed + octave * 11) * weight
  return sum
}

/** A Julia set (https://en.wikipedia.org/wiki/Julia_set), its outside coloured without steps. */
export function julia () {
  const [width, height] = [600, 400]
  const colours = ['#050a30', '#0c2d8a', '#1f7ae0', '#8fe3ff', '#fff8e0', '#ffb347', '#c2410c', '#3b0a45', '#050a30'].map(colour)
  const palette = Array.from({ length: 256 }, (_, place) => scale(colours, place / 255).map(Math.round))
  const pixels = new Uint8Array(width * height)
  for (let place = 0; place < pixels.length; place++) {
    const steps = stepsOut((place % width + 0.5 - width / 2) / 152, (Math.floor(place / width) + 0.5 - height / 2) / 152)
    pixels[place] = Math.round(clamp(log2(1 + steps) / log2(161)) * 255)
  }
  return encodePng({ width, height, channels: 1, pixels, palette })
}

function stepsOut (startX, startY) {
  let [x, y] = [startX, startY]
  for (let step = 0; step < 160; step++) {
    const square = x * x + y * y
    if (square > 1000) return Math.max(0, step + 1 - log2(log2(square) / 2))
    ;[x, y] = [x * x - y * y - 0.7885, 2 * x * y + 0.145]
  }
  return 160
}

/** Discs of coloured glass on nothing: a picture with alpha. */
export function glass () {
  const [width, height] = [560, 420]
  const tints = ['#ff4d6d', '#ffb703', '#2ec4b6', '#3a86ff', '#9b5de5'].map(colour)
  const discs = tints.map((tint, place) => ({ tint, x: width / 2 + cosine(place / 5 - 0.25) * 94, y: height / 2 + 8 + sine(place / 5 - 0.25) * 94, radius: 106 }))
  return encodePng(drawn(width, height, 4, (x, y) => {
    let [paint, cover] = [[0, 0, 0], 0]
    for (const disc of discs) {
      if ((x - disc.x) ** 2 + (y - disc.y) ** 2 > disc.radius ** 2) continue
      const share = 0.72 / (0.72 + cover * 0.28)
      paint = mix(paint, disc.tint, share)
      cover = 0.72 + cover * 0.28
    }
    return [...paint, cover * 255]
  }))
}

/** Seeds of a sunflower after Vogel (1979): each the golden angle on from the last. */
export function sunflower () {
  const [width, height] = [480, 360]
  const tints = ['#5a2408', '#b1480b', '#f59e0b', '#fde68a'].map(colour)
  const seeds = Array.from({ length: 560 }, (_, place) => {
    const radius = 8.6 * Math.sqrt(place + 0.5)
    const turns = place * 0.3819660112501051
    return { x: width / 2 + cosine(turns) * radius, y: height / 2 + sine(turns) * radius, size: 2.6 + 4.6 * smooth(0, 200, radius), tint: scale(tints, radius / 200) }
  })
  const soil = colour('#10261f')
  const near = grouped(seeds)
  return encodePng(drawn(width, height, 3, (x, y) => near(x, y).find(seed => (x - seed.x) ** 2 + (y - seed.y) ** 2 < seed.size ** 2)?.tint ?? soil))
}

const squareAt = (column, row) => column * 64 + row

/** Which seeds may cover a place, by squares of sixteen pixels. */
function grouped (seeds) {
  const squares = new Map()
  for (const seed of seeds) {
    const [column, row] = [Math.floor(seed.x / 16), Math.floor(seed.y / 16)]
    for (let near = 0; near < 9; near++) {
      const square = squareAt(column + near % 3 - 1, row + Math.floor(near / 3) - 1)
      squares.set(square, [...squares.get(square) ?? [], seed])
    }
  }
  return (x, y) => squares.get(squareAt(Math.floor(x / 16), Math.floor(y / 16))) ?? []
}

/** Quarter circles after Truchet (1704), each tile turned by chance. */
export function truchet () {
  const [size, tile] = [480, 48]
  const palette = Array.from({ length: 32 }, (_, place) => mix(colour('#0f3d4c'), colour('#f4e9cd'), place / 31).map(Math.round))
  const pixels = new Uint8Array(size * size)
  for (let place = 0; place < pixels.length; place++) {
    const [x, y] = [place % size + 0.5, Math.floor(place / size) + 0.5]
    const turned = scattered(Math.floor(x / tile) * 97 + Math.floor(y / tile) * 389) < 0.5
    const [across, down] = [turned ? tile - x % tile : x % tile, y % tile]
    const distance = Math.min(Math.abs(Math.sqrt(across ** 2 + down ** 2) - tile / 2), Math.abs(Math.sqrt((tile - across) ** 2 + (tile - down) ** 2) - tile / 2))
    pixels[place] = Math.round(clamp(8.5 - distance) * 31)
  }
  return encodePng({ width: size, height: size, channels: 1, pixels, palette })
}

/** Planets going round: an animation without end. */
export function orbit () {
  const [width, height, count] = [240, 180, 30]
  const centre = { x: width / 2, y: height / 2, size: 16, tint: 2 }
  const tints = ['#0b1026', '#27304f', '#ffd166', '#ef476f', '#06d6a0', '#118ab2', '#8ecae6', '#ffffff']
  const planets = [{ radius: 34, size: 5, tint: 3, rounds: 3 }, { radius: 56, size: 7, tint: 4, rounds: 2 }, { radius: 78, size: 9, tint: 5, rounds: 1 }]
  const frames = Array.from({ length: count }, (_, frame) => {
    const discs = planets.map(({ radius, size, tint, rounds }) => ({ radius, size, tint, x: centre.x + cosine(frame / count * rounds) * radius, y: centre.y + sine(frame / count * rounds) * radius }))
    return Uint8Array.from({ length: width * height }, (_value, place) => orbitTint(place % width + 0.5, Math.floor(place / width) + 0.5, [centre, ...discs]))
  })
  return encodeGif({ width, height, palette: tints.map(colour), frames, delay: 7 })
}

function orbitTint (x, y, discs) {
  const disc = discs.find(({ x: left, y: top, size }) => (x - left) ** 2 + (y - top) ** 2 < size ** 2)
  if (disc !== undefined) return disc.tint
  const [centre] = discs
  const distance = Math.sqrt((x - centre.x) ** 2 + (y - centre.y) ** 2)
  if (discs.some(({ radius }) => radius !== undefined && Math.abs(distance - radius) < 0.6)) return 1
  return scattered(Math.floor(x) * 1009 + Math.floor(y) * 9176) > 0.997 ? 6 : 0
}
