/*
 * Arithmetic that gives the same bits everywhere. ECMAScript leaves Math.sin, Math.log and
 * their kind to the implementation (ECMA-262 §21.3.2), and engines do differ in the last bit;
 * IEEE 754 fixes + - * / and the square root, so everything here is made of those.
 */

/** The sine of an angle in turns: sine(0.25) is 1. */
export function sine (turns) {
  const around = turns - Math.floor(turns)
  const half = around < 0.5
  const place = half ? around : around - 0.5
  const angle = (place > 0.25 ? 0.5 - place : place) * 2 * Math.PI
  const square = angle * angle
  // Taylor's series to the 15th power: within 1e-11 on a quarter turn.
  let sum = 0
  for (let power = 15; power > 1; power -= 2) sum = (1 - sum) * square / (power * (power - 1))
  return (half ? 1 : -1) * angle * (1 - sum)
}

export const cosine = turns => sine(turns + 0.25)

/** The binary logarithm of a number of at least 1, to 2^-20: one bit for each squaring. */
export function log2 (number) {
  let whole = 0
  let rest = number
  for (; rest >= 2; rest /= 2) whole++
  let bits = 0
  for (let bit = 0.5; bit > 1e-6; bit /= 2) {
    rest *= rest
    if (rest < 2) continue
    rest /= 2
    bits += bit
  }
  return whole + bits
}

/** A number in [0, 1) that looks random, the same one for the same seed. */
export function scattered (seed) {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return ((state ^ (state >>> 16)) >>> 0) / 4294967296
}

export const clamp = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value))

/** From 0 to 1 between two edges, without a corner at either. */
export function smooth (low, high, value) {
  const place = clamp((value - low) / (high - low))
  return place * place * (3 - 2 * place)
}

/** Smooth noise along a line, in [-1, 1]. */
export function noise (place, seed) {
  const left = Math.floor(place)
  const at = spot => scattered(spot * 131 + seed * 7919) * 2 - 1
  return at(left) + (at(left + 1) - at(left)) * smooth(0, 1, place - left)
}

/** A colour between two, channel by channel. */
export const mix = (from, to, share) => from.map((channel, place) => channel + (to[place] - channel) * share)

/** `#rrggbb` as three numbers. */
export const colour = text => [1, 3, 5].map(start => Number.parseInt(text.slice(start, start + 2), 16))

/** A colour on a scale of evenly spaced ones, from 0 to 1. */
export function scale (colours, share) {
  const place = clamp(share) * (colours.length - 1)
  const left = Math.min(Math.floor(place), colours.length - 2)
  return mix(colours[left], colours[left + 1], place - left)
}
