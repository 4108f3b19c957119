import { ArgumentError, type Argument } from './arguments.ts'

interface NumberBounds {
  minimum: number
  maximum: number
  /** In words: `pixels`, `degrees`. */
  unit?: string
  /** Whether it has to be a whole number. */
  whole?: boolean
  /** The distance of values where an open server snaps them. */
  grid?: number
  /** The values themselves, ascending, where an even grid would be too coarse below or too fine above. */
  steps?: readonly number[]
}

/** Lengths in pixels that people ask for, ascending. */
export const lengthSteps = [
  0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18, 20, 24, 25, 28, 30, 32, 36, 40, 48, 50, 60, 64, 72, 80, 96, 100, 120, 128, 150, 160,
  200, 240, 256, 300, 320, 400, 480, 500, 512, 600, 640, 800, 1000, 1024, 1280, 1600, 2000, 2048, 3000, 4000, 4096, 8192, 16_384
] as const

/** Digits behind the point that are told apart. */
const PRECISION = 4

/** One optional minus, digits, at most one point: nothing that `Number` reads in a surprising way. */
const NUMBER = /^-?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})$/

function readNumber (text: string, { minimum, maximum, whole = false }: NumberBounds, expected: string): number {
  const value = NUMBER.test(text) ? Number(Number(text).toFixed(PRECISION)) : Number.NaN
  if (!(value >= minimum && value <= maximum) || (whole && !Number.isInteger(value))) throw new ArgumentError(`Expected ${expected}`)
  return value === 0 ? 0 : value // never -0
}

function span (noun: string, { minimum, maximum, unit }: NumberBounds): string {
  return `${noun} from ${minimum} to ${maximum}${unit === undefined ? '' : ` (${unit})`}`
}

function toGrid (value: number, { minimum, maximum, grid, steps }: NumberBounds): number {
  if (steps !== undefined) return nearest(value, steps.filter(step => step >= minimum && step <= maximum))
  if (grid === undefined) return value
  return Number(Math.min(maximum, Math.max(minimum, Math.round(value / grid) * grid)).toFixed(PRECISION))
}

function nearest (value: number, steps: readonly number[]): number {
  return steps.reduce((best, step) => Math.abs(step - value) < Math.abs(best - value) ? step : best, steps[0] ?? value)
}

/** A number with at most four digits behind the point. */
export function number (bounds: NumberBounds): Argument<number> {
  const expected = span('a number', bounds)
  return { expected, read: text => readNumber(text, bounds, expected), write: String, snap: value => toGrid(value, bounds) }
}

/** A whole number. */
export function integer (bounds: NumberBounds): Argument<number> {
  const whole = { ...bounds, whole: true }
  const expected = span('a whole number', bounds)
  return { expected, read: text => readNumber(text, whole, expected), write: String, snap: value => toGrid(value, bounds) }
}

/** A side of the picture in pixels. Fractions of a pixel, which layouts lead to, are rounded. */
export function pixels (maximum: number): Argument<number> {
  const bounds = { minimum: 1, maximum, unit: 'pixels' }
  const expected = span('a number', bounds)
  return { expected, read: text => Math.round(readNumber(text, bounds, expected)), write: String }
}

/** Several numbers, parted by commas. @param complete gives a shorter list what is left unsaid */
export function numbers (counts: readonly number[], bounds: NumberBounds, complete = (values: readonly number[]) => values): Argument<readonly number[]> {
  const expected = `${counts.join(' or ')} comma-separated ${span(bounds.whole === true ? 'whole numbers' : 'numbers', bounds)}`
  return {
    expected,
    read (text) {
      const parts = splitNumbers(text)
      if (!counts.includes(parts.length)) throw new ArgumentError(`Expected ${expected}`)
      return complete(parts.map(part => readNumber(part, bounds, expected)))
    },
    write: values => values.join(','),
    snap: values => values.map(value => toGrid(value, bounds))
  }
}

/** Characters of the longest list of numbers that is looked at. */
const MAX_NUMBERS_LENGTH = 100

function splitNumbers (text: string): string[] {
  return text.length > MAX_NUMBERS_LENGTH ? [] : text.split(',')
}

/** Of a side or a place that is given as a fraction, and of one in pixels: where an open server snaps them. */
const FRACTION_GRID = 0.01
const PIXEL_GRID = 10

/** `left,top,width,height`: fractions of the picture where none is above 1, whole pixels otherwise. */
export function rectangle (maximum: number): Argument<readonly number[]> {
  const expected = `left,top,width,height in pixels from 0 to ${maximum}, or in fractions where none is above 1, and not empty`
  const bounds = { minimum: 0, maximum }
  return {
    expected,
    read (text) {
      const given = splitNumbers(text).map(part => readNumber(part, bounds, expected))
      const values = given.some(value => value > 1) ? given.map(Math.round) : given
      const [,, width, height] = values
      const isTold = values.some(value => value > 1) === given.some(value => value > 1) // 1 pixel and the whole are written alike
      if (values.length !== 4 || width === 0 || height === 0 || !isTold) throw new ArgumentError(`Expected ${expected}`)
      return values
    },
    write: values => values.join(','),
    snap (values) {
      const grid = values.some(value => value > 1) ? PIXEL_GRID : FRACTION_GRID
      return values.map((value, place) => Math.max(place < 2 ? 0 : grid, toGrid(value, { ...bounds, grid })))
    }
  }
}

/** The largest number of either side of a ratio that an open server keeps: 16:9, 21:9 and 16:21 are among them. */
const MAX_RATIO_TERM = 21

/** The nearest ratio of two whole numbers up to {@link MAX_RATIO_TERM}: 279 values. */
function simpleRatio (value: number): number {
  let best = 1
  for (let height = 1; height <= MAX_RATIO_TERM; height++) {
    const width = Math.min(MAX_RATIO_TERM, Math.max(1, Math.round(value * height)))
    if (Math.abs(width / height - value) < Math.abs(best - value)) best = width / height
  }
  return Number(best.toFixed(PRECISION))
}

/** Width to height: `16:9`, or a number. */
export function ratio (bounds: NumberBounds): Argument<number> {
  const expected = `a ratio such as 16:9, or a number from ${bounds.minimum} to ${bounds.maximum}`
  return {
    expected,
    read (text) {
      const [width = '', height, ...more] = text.split(/[:/]/, 3)
      if (more.length > 0) throw new ArgumentError(`Expected ${expected}`)
      if (height === undefined) return readNumber(width, bounds, expected)
      const side = { minimum: 0.001, maximum: 100_000 }
      const value = Number((readNumber(width, side, expected) / readNumber(height, side, expected)).toFixed(PRECISION))
      if (value < bounds.minimum || value > bounds.maximum) throw new ArgumentError(`Expected ${expected}`)
      return value
    },
    write: String,
    snap: simpleRatio
  }
}
