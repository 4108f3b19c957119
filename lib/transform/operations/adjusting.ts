import { colour, flag, type Argument } from '../arguments.ts'
import { integer, number, numbers } from '../numeric-arguments.ts'
import { operation } from './operation.ts'

const percent = (minimum: number, maximum: number): Argument<number> => number({ minimum, maximum, unit: 'percent', grid: 10 })

/** Factors and summands of `linear` where an open server snaps them. */
const linearSteps = [
  -255, -200, -150, -128, -100, -80, -60, -50, -40, -30, -20, -10, -5, -3, -2, -1.5, -1, -0.5,
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4, 5, 10, 20, 30, 40, 50, 60, 80, 100, 128, 150, 200, 255
]

/** Colours and detail. */
export const adjusting = {
  median: operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 15, unit: 'pixels' }),
    step: 'adjust',
    doc: 'Takes specks out by the median of a square',
    example: 'w=320&median=5',
    apply: (image, value) => image.median(value)
  }),
  blur: operation({
    aliases: [],
    argument: number({ minimum: 0.3, maximum: 100, unit: 'pixels, the sigma of a Gaussian', steps: [0.3, 0.5, 0.8, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 40, 50, 60, 75, 100] }),
    step: 'adjust',
    doc: 'Blurs',
    example: 'w=320&blur=5',
    apply: (image, value) => image.blur(value)
  }),
  sharp: operation({
    aliases: ['sharpen'],
    argument: numbers([1, 3], { minimum: 0, maximum: 100, steps: [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100] }),
    step: 'adjust',
    doc: 'Sharpens by an amount, or by `sigma,flat,jagged`',
    example: 'w=320&sharp=30',
    // 20 is what the engine itself takes for a photograph.
    apply: (image, [first = 0, flat, jagged]) =>
      flat === undefined || jagged === undefined
        ? image.sharpen({ sigma: 1, m1: first / 20, m2: first / 10 })
        : image.sharpen({ sigma: Math.min(10, Math.max(0.01, first)), m1: flat, m2: jagged })
  }),
  bri: operation({
    aliases: ['brightness'],
    argument: percent(-100, 300),
    step: 'adjust',
    doc: 'Brightness',
    example: 'w=320&bri=30',
    apply: (image, value) => image.modulate({ brightness: 1 + value / 100 })
  }),
  sat: operation({
    aliases: ['saturation'],
    argument: percent(-100, 300),
    step: 'adjust',
    doc: 'Saturation',
    example: 'w=320&sat=-60',
    apply: (image, value) => image.modulate({ saturation: 1 + value / 100 })
  }),
  hue: operation({
    aliases: [],
    argument: number({ minimum: -360, maximum: 360, unit: 'degrees', grid: 15 }),
    step: 'adjust',
    doc: 'Turns every hue',
    example: 'w=320&hue=120',
    apply: (image, value) => image.modulate({ hue: Math.round(value) })
  }),
  con: operation({
    aliases: ['contrast'],
    argument: percent(-100, 100),
    step: 'adjust',
    doc: 'Contrast',
    example: 'w=320&con=40',
    apply: (image, value) => image.linear(1 + value / 100, -1.28 * value)
  }),
  gam: operation({
    aliases: [],
    argument: percent(-100, 100),
    step: 'adjust',
    doc: 'Brightens or darkens the middle tones',
    example: 'w=320&gam=50',
    apply: (image, value) => value > 0 ? image.gamma(1, 1 + value / 50) : image.gamma(1 - value / 50, 1)
  }),
  normalise: operation({
    aliases: ['normalize'],
    argument: flag(),
    step: 'adjust',
    doc: 'Stretches the tones to the whole range',
    example: 'w=320&normalise',
    apply: (image, value) => value ? image.normalise() : image
  }),
  greyscale: operation({
    aliases: ['grayscale', 'grey', 'gray'],
    argument: flag(),
    step: 'adjust',
    doc: 'Without colour',
    example: 'w=320&greyscale',
    apply: (image, value) => value ? image.greyscale() : image
  }),
  tint: operation({
    aliases: ['monochrome', 'mono'],
    argument: colour(),
    step: 'adjust',
    doc: 'One colour in its shades',
    example: 'w=320&tint=ff8800',
    apply: (image, value) => image.tint(`#${value.slice(0, 6)}`)
  }),
  invert: operation({
    aliases: ['negate'],
    argument: flag(),
    step: 'adjust',
    doc: 'The negative',
    example: 'w=320&invert',
    apply: (image, value) => value ? image.negate({ alpha: false }) : image
  }),
  threshold: operation({
    aliases: [],
    argument: integer({ minimum: 0, maximum: 255, unit: 'of 255', grid: 16 }),
    step: 'adjust',
    doc: 'Black below this lightness, white above',
    example: 'w=320&threshold=128',
    apply: (image, value) => image.threshold(Math.max(1, value))
  }),
  lightness: operation({
    aliases: [],
    argument: percent(-100, 100),
    step: 'adjust',
    doc: 'Adds the same light everywhere, in percent of white',
    example: 'w=320&lightness=20',
    apply: (image, value) => image.modulate({ lightness: value })
  }),
  linear: operation({
    aliases: [],
    argument: numbers([1, 2], { minimum: -255, maximum: 255, steps: linearSteps }, ([factor = 1, summand = 0]) => [factor, summand]),
    step: 'adjust',
    doc: 'Multiplies each channel, of 0 to 255, and adds: `a` or `a,b`',
    example: 'w=320&linear=1.5,-40',
    apply: (image, [a = 1, b = 0]) => image.linear(a, b)
  }),
  clahe: operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 100, unit: 'pixels', grid: 10 }),
    step: 'adjust',
    doc: 'Evens out contrast within squares of this side',
    example: 'w=320&clahe=40',
    apply: (image, value) => image.clahe({ width: value, height: value })
  }),
  dilate: operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 30, unit: 'pixels' }),
    step: 'adjust',
    doc: 'Grows what is black, in pictures of black and white',
    example: 'w=320&threshold=128&dilate=3',
    apply: (image, value) => image.dilate(value)
  }),
  erode: operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 30, unit: 'pixels' }),
    step: 'adjust',
    doc: 'Grows what is white, in pictures of black and white',
    example: 'w=320&threshold=128&erode=3',
    apply: (image, value) => image.erode(value)
  }),
  unflatten: operation({
    aliases: [],
    argument: flag(),
    step: 'adjust',
    doc: 'Makes white transparent',
    example: 'w=320&unflatten&f=png',
    apply: (image, value) => value ? image.unflatten() : image
  })
} as const
