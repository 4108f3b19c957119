import type { Sharp } from 'sharp'
import { caption, colour, configuredName, flag, numberOr, word, wordOf, type Argument } from './arguments.ts'
import { integer, lengthSteps, number, numbers, pixels, ratio, rectangle } from './numeric-arguments.ts'

/**
 * Every image operation, one record each, in canonical order. Grammars, limits, the URL
 * builder, the pipeline, `docs/transforms.md` and tests iterate this table. Names are imgix's
 * where imgix has one. Isomorphic: no more than types is imported from the engine.
 */

/** Which step of the pipeline an operation belongs to; see `lib/image/pipeline/pipeline.ts`. */
export type StepName = 'open' | 'orient' | 'crop' | 'size' | 'adjust' | 'decorate' | 'encode'

/** What an `adjust` operation may ask about the picture it changes. */
export interface Adjusted {
  /** Whether the picture has an alpha channel. */
  readonly hasAlpha: boolean
}

/** One operation. */
export interface Operation<V = never> {
  /** Other names of it. */
  readonly aliases: readonly string[]
  readonly argument: Argument<V>
  readonly step: StepName
  /** One line for the reader of `docs/transforms.md`. */
  readonly doc: string
  /** A query that shows it. */
  readonly example: string
  /**
   * Changes the picture, for operations that need nothing but their own value. The others are
   * read together by their step: a size follows from several of them.
   */
  readonly apply?: (image: Sharp, value: V, picture: Adjusted) => Sharp
}

function operation<V> (record: Operation<V>): Operation<V> {
  return record
}

/** The largest side that any server may allow; each mount has its own, lower limit. */
export const MAX_SIDE = 16_384

const compass = ['center', 'top', 'top-right', 'right', 'bottom-right', 'bottom', 'bottom-left', 'left', 'top-left'] as const
const compassSynonyms = {
  centre: 'center', middle: 'center', north: 'top', south: 'bottom', west: 'left', east: 'right',
  northeast: 'top-right', southeast: 'bottom-right', southwest: 'bottom-left', northwest: 'top-left',
  'top,right': 'top-right', 'right,top': 'top-right', 'right top': 'top-right', 'bottom,right': 'bottom-right', 'right,bottom': 'bottom-right', 'right bottom': 'bottom-right',
  'bottom,left': 'bottom-left', 'left,bottom': 'bottom-left', 'left bottom': 'bottom-left', 'top,left': 'top-left', 'left,top': 'top-left', 'left top': 'top-left',
  'middle,center': 'center', 'center,middle': 'center'
} as const

const percent = (minimum: number, maximum: number): Argument<number> => number({ minimum, maximum, unit: 'percent', grid: 10 })

/** Factors and summands of `linear` where an open server snaps them. */
const linearSteps = [
  -255, -200, -150, -128, -100, -80, -60, -50, -40, -30, -20, -10, -5, -3, -2, -1.5, -1, -0.5,
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4, 5, 10, 20, 30, 40, 50, 60, 80, 100, 128, 150, 200, 255
]

/** What a file may be asked for as. */
export const formatWords = ['auto', 'jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const

export const operations = {
  frame: operation({ aliases: ['page'], argument: integer({ minimum: 0, maximum: 99_999 }), step: 'open', doc: 'One frame or page of the original alone, counted from 0', example: 'frame=2' }),
  animated: operation({ aliases: ['anim', 'a'], argument: flag(), step: 'open', doc: 'Whether all frames are kept where the format can; on by default', example: 'animated=0' }),
  orient: operation({ aliases: ['or'], argument: word(['auto', 'none', '1', '2', '3', '4', '5', '6', '7', '8'], { '': 'auto', true: 'auto', false: 'none', 0: 'none' }), step: 'orient', doc: 'Turns the picture upright by its EXIF orientation (`auto`, the default), leaves it, or turns it as if it had this one', example: 'orient=none' }),
  rot: operation({ aliases: ['rotate'], argument: number({ minimum: -360, maximum: 360, unit: 'degrees clockwise', grid: 45 }), step: 'orient', doc: 'Rotates; corners that become free take the background', example: 'rot=90' }),
  flip: operation({ aliases: [], argument: word(['h', 'v', 'hv'], { '': 'v', 1: 'v', true: 'v', vh: 'hv', horizontal: 'h', vertical: 'v', both: 'hv' }), step: 'orient', doc: 'Mirrors left to right (`h`), top to bottom (`v`), or both', example: 'flip=h' }),
  trim: operation({ aliases: [], argument: numberOr(number({ minimum: 0, maximum: 255, unit: 'difference of colour', grid: 5 }), word(['auto'], { '': 'auto', 1: 'auto', true: 'auto', color: 'auto' })), step: 'crop', doc: 'Cuts off edges of one colour; the number says how far a pixel may be from it', example: 'trim=auto' }),
  rect: operation({ aliases: ['extract'], argument: rectangle(100_000), step: 'crop', doc: 'Cuts out `left,top,width,height` before anything is resized', example: 'rect=0.25,0.25,0.5,0.5' }),
  w: operation({ aliases: ['width'], argument: pixels(MAX_SIDE), step: 'size', doc: 'Width; a height that nobody asked for is bounded by the limits', example: 'w=320' }),
  h: operation({ aliases: ['height'], argument: pixels(MAX_SIDE), step: 'size', doc: 'Height', example: 'h=200' }),
  ar: operation({ aliases: ['aspect-ratio'], argument: ratio({ minimum: 0.01, maximum: 100 }), step: 'size', doc: 'Width to height; crops where only one side is given', example: 'w=320&ar=1:1' }),
  fit: operation({
    aliases: [],
    argument: word(['cover', 'contain', 'fill', 'inside', 'outside', 'scale-down', 'pad'], { crop: 'cover', clip: 'inside', max: 'scale-down', scale: 'fill', 'fill-down': 'scale-down' }),
    step: 'size',
    doc: 'How a picture meets both sides: `cover` cuts, `contain` adds a transparent and `pad` a white border, `fill` distorts, `inside` and `outside` keep all, `scale-down` (default) never enlarges',
    example: 'w=320&h=320&fit=cover'
  }),
  enlarge: operation({ aliases: [], argument: flag(), step: 'size', doc: 'Whether a small original is enlarged; on by default where `fit` is given', example: 'w=320&h=200&fit=cover&enlarge=0' }),
  position: operation({
    aliases: ['pos', 'gravity', 'crop'],
    argument: wordOf(word([...compass, 'attention', 'entropy', 'focalpoint'], { ...compassSynonyms, smart: 'attention', faces: 'attention', edges: 'entropy' }), ['attention', 'entropy']),
    step: 'size',
    doc: 'What stays when `cover` cuts: a side or corner, the part that draws the eye (`attention`), that with most detail (`entropy`)',
    example: 'w=200&h=200&fit=cover&position=attention'
  }),
  fx: operation({ aliases: ['fp-x'], argument: number({ minimum: 0, maximum: 1, grid: 0.1 }), step: 'size', doc: 'Focal point: its place from left (0) to right (1)', example: 'w=200&h=200&fit=cover&fx=0.2&fy=0.5' }),
  fy: operation({ aliases: ['fp-y'], argument: number({ minimum: 0, maximum: 1, grid: 0.1 }), step: 'size', doc: 'Focal point: its place from top (0) to bottom (1)', example: 'w=200&h=200&fit=cover&fx=0.5&fy=0.9' }),
  zoom: operation({ aliases: ['fp-z'], argument: number({ minimum: 1, maximum: 10, grid: 0.5 }), step: 'size', doc: 'Goes nearer to the focal point: 2 shows half of each side', example: 'w=200&zoom=2&fx=0.3&fy=0.3' }),
  dpr: operation({ aliases: [], argument: number({ minimum: 0.5, maximum: 5, grid: 0.5 }), step: 'size', doc: 'Pixels of the screen to one of the page: sizes are multiplied by it', example: 'w=160&dpr=2' }),
  kernel: operation({ aliases: [], argument: word(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3', 'mks2013', 'mks2021']), step: 'size', doc: 'How pixels are weighed when the size changes', example: 'w=320&kernel=nearest' }),
  gamma: operation({ aliases: [], argument: number({ minimum: 1, maximum: 3, grid: 0.2 }), step: 'size', doc: 'Resizes in light that is linear by this gamma', example: 'w=320&gamma=2.2', apply: (image, value) => image.gamma(value) }),
  median: operation({ aliases: [], argument: integer({ minimum: 1, maximum: 15, unit: 'pixels' }), step: 'adjust', doc: 'Takes specks out by the median of a square', example: 'w=320&median=5', apply: (image, value) => image.median(value) }),
  blur: operation({ aliases: [], argument: number({ minimum: 0.3, maximum: 100, unit: 'pixels, the sigma of a Gaussian', steps: [0.3, 0.5, 0.8, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 40, 50, 60, 75, 100] }), step: 'adjust', doc: 'Blurs', example: 'w=320&blur=5', apply: (image, value) => image.blur(value) }),
  sharp: operation({
    aliases: ['sharpen'],
    argument: numbers([1, 3], { minimum: 0, maximum: 100, steps: [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100] }),
    step: 'adjust',
    doc: 'Sharpens by an amount, or by `sigma,flat,jagged`',
    example: 'w=320&sharp=30',
    // 20 is what the engine itself takes for a photograph.
    apply: (image, [first = 0, flat, jagged]) => flat === undefined || jagged === undefined ? image.sharpen({ sigma: 1, m1: first / 20, m2: first / 10 }) : image.sharpen({ sigma: Math.min(10, Math.max(0.01, first)), m1: flat, m2: jagged })
  }),
  bri: operation({ aliases: ['brightness'], argument: percent(-100, 300), step: 'adjust', doc: 'Brightness', example: 'w=320&bri=30', apply: (image, value) => image.modulate({ brightness: 1 + value / 100 }) }),
  sat: operation({ aliases: ['saturation'], argument: percent(-100, 300), step: 'adjust', doc: 'Saturation', example: 'w=320&sat=-60', apply: (image, value) => image.modulate({ saturation: 1 + value / 100 }) }),
  hue: operation({ aliases: [], argument: number({ minimum: -360, maximum: 360, unit: 'degrees', grid: 15 }), step: 'adjust', doc: 'Turns every hue', example: 'w=320&hue=120', apply: (image, value) => image.modulate({ hue: Math.round(value) }) }),
  con: operation({ aliases: ['contrast'], argument: percent(-100, 100), step: 'adjust', doc: 'Contrast', example: 'w=320&con=40', apply: (image, value) => image.linear(1 + value / 100, -1.28 * value) }),
  gam: operation({ aliases: [], argument: percent(-100, 100), step: 'adjust', doc: 'Brightens or darkens the middle tones', example: 'w=320&gam=50', apply: (image, value) => value > 0 ? image.gamma(1, 1 + value / 50) : image.gamma(1 - value / 50, 1) }),
  normalise: operation({ aliases: ['normalize'], argument: flag(), step: 'adjust', doc: 'Stretches the tones to the whole range', example: 'w=320&normalise', apply: (image, value) => value ? image.normalise() : image }),
  greyscale: operation({ aliases: ['grayscale', 'grey', 'gray'], argument: flag(), step: 'adjust', doc: 'Without colour', example: 'w=320&greyscale', apply: (image, value) => value ? image.greyscale() : image }),
  tint: operation({ aliases: ['monochrome', 'mono'], argument: colour(), step: 'adjust', doc: 'One colour in its shades', example: 'w=320&tint=ff8800', apply: (image, value) => image.tint(`#${value.slice(0, 6)}`) }),
  invert: operation({ aliases: ['negate'], argument: flag(), step: 'adjust', doc: 'The negative', example: 'w=320&invert', apply: (image, value) => value ? image.negate({ alpha: false }) : image }),
  threshold: operation({ aliases: [], argument: integer({ minimum: 0, maximum: 255, unit: 'of 255', grid: 16 }), step: 'adjust', doc: 'Black below this lightness, white above', example: 'w=320&threshold=128', apply: (image, value) => image.threshold(Math.max(1, value)) }),
  lightness: operation({ aliases: [], argument: percent(-100, 100), step: 'adjust', doc: 'Adds the same light everywhere, in percent of white', example: 'w=320&lightness=20', apply: (image, value) => image.modulate({ lightness: value }) }),
  linear: operation({ aliases: [], argument: numbers([1, 2], { minimum: -255, maximum: 255, steps: linearSteps }, ([factor = 1, summand = 0]) => [factor, summand]), step: 'adjust', doc: 'Multiplies each channel, of 0 to 255, and adds: `a` or `a,b`', example: 'w=320&linear=1.5,-40', apply: (image, [a = 1, b = 0]) => image.linear(a, b) }),
  clahe: operation({ aliases: [], argument: integer({ minimum: 1, maximum: 100, unit: 'pixels', grid: 10 }), step: 'adjust', doc: 'Evens out contrast within squares of this side', example: 'w=320&clahe=40', apply: (image, value) => image.clahe({ width: value, height: value }) }),
  dilate: operation({ aliases: [], argument: integer({ minimum: 1, maximum: 30, unit: 'pixels' }), step: 'adjust', doc: 'Grows what is black, in pictures of black and white', example: 'w=320&threshold=128&dilate=3', apply: (image, value) => image.dilate(value) }),
  erode: operation({ aliases: [], argument: integer({ minimum: 1, maximum: 30, unit: 'pixels' }), step: 'adjust', doc: 'Grows what is white, in pictures of black and white', example: 'w=320&threshold=128&erode=3', apply: (image, value) => image.erode(value) }),
  unflatten: operation({ aliases: [], argument: flag(), step: 'adjust', doc: 'Makes white transparent', example: 'w=320&unflatten&f=png', apply: (image, value) => value ? image.unflatten() : image }),
  px: operation({ aliases: ['pixelate'], argument: integer({ minimum: 2, maximum: 256, unit: 'pixels', grid: 4 }), step: 'decorate', doc: 'Squares of this side, each of one colour', example: 'w=320&px=12' }),
  radius: operation({ aliases: ['corner-radius'], argument: integer({ minimum: 1, maximum: MAX_SIDE, unit: 'pixels', steps: lengthSteps }), step: 'decorate', doc: 'Rounds the corners', example: 'w=320&radius=40&f=png' }),
  mask: operation({ aliases: [], argument: word(['ellipse', 'circle', 'corners']), step: 'decorate', doc: 'Shows only an ellipse or a circle; `corners` rounds by a tenth of the shorter side', example: 'w=200&h=200&fit=cover&mask=circle&f=png' }),
  pad: operation({ aliases: ['extend'], argument: numbers([1, 4], { minimum: 0, maximum: 4096, unit: 'pixels: all sides, or top,right,bottom,left', whole: true, steps: lengthSteps }, sides => sides.length === 1 ? [...sides, ...sides, ...sides, ...sides] : sides), step: 'decorate', doc: 'Adds a border of the background', example: 'w=320&pad=20&bg=ff8800' }),
  bg: operation({ aliases: ['background', 'b', 'flatten'], argument: colour(), step: 'decorate', doc: 'What shows where the picture does not: borders, and behind transparency', example: 'w=320&h=320&fit=contain&bg=223344' }),
  mark: operation({ aliases: ['overlay', 'watermark'], argument: configuredName('an overlay of the configuration'), step: 'decorate', doc: 'Lays a configured picture over it', example: 'w=320&mark=logo' }),
  'mark-position': operation({ aliases: ['mark-align'], argument: word(compass, compassSynonyms), step: 'decorate', doc: 'Where the overlay lies; bottom right by default', example: 'w=320&mark=logo&mark-position=top-left' }),
  'mark-alpha': operation({ aliases: [], argument: integer({ minimum: 1, maximum: 100, unit: 'percent', grid: 10 }), step: 'decorate', doc: 'Opacity of the overlay', example: 'w=320&mark=logo&mark-alpha=50' }),
  'mark-scale': operation({ aliases: [], argument: integer({ minimum: 1, maximum: 100, unit: 'percent of the picture\'s width', grid: 5 }), step: 'decorate', doc: 'Width of the overlay; its own by default, at most a third of the picture\'s', example: 'w=320&mark=logo&mark-scale=50' }),
  'mark-pad': operation({ aliases: [], argument: integer({ minimum: 0, maximum: 4096, unit: 'pixels', steps: lengthSteps }), step: 'decorate', doc: 'Distance of the overlay from the edges, and between repeated ones; 10 by default', example: 'w=320&mark=logo&mark-pad=20' }),
  'mark-tile': operation({ aliases: [], argument: flag(), step: 'decorate', doc: 'Repeats the overlay all over', example: 'w=320&mark=logo&mark-scale=20&mark-tile' }),
  txt: operation({ aliases: ['text'], argument: caption(200), step: 'decorate', doc: 'Writes words on it, in the sans-serif font of the server', example: 'w=320&txt=Hello' }),
  'txt-size': operation({ aliases: [], argument: integer({ minimum: 6, maximum: 512, unit: 'pixels', steps: lengthSteps }), step: 'decorate', doc: 'Height of the words; 24 by default', example: 'w=320&txt=Hello&txt-size=48' }),
  'txt-color': operation({ aliases: ['txt-colour'], argument: colour(), step: 'decorate', doc: 'Colour of the words; white by default', example: 'w=320&txt=Hello&txt-color=ffcc00' }),
  'txt-position': operation({ aliases: ['txt-align'], argument: word(compass, compassSynonyms), step: 'decorate', doc: 'Where the words stand; bottom right by default', example: 'w=320&txt=Hello&txt-position=center' }),
  'txt-pad': operation({ aliases: [], argument: integer({ minimum: 0, maximum: 4096, unit: 'pixels', steps: lengthSteps }), step: 'decorate', doc: 'Distance of the words from the edges; 10 by default', example: 'w=320&txt=Hello&txt-pad=30' }),
  f: operation({ aliases: ['fm', 'format'], argument: word(formatWords, { jpg: 'jpeg', tif: 'tiff' }), step: 'encode', doc: 'The format; `auto` is the best that the client accepts. Without it, that of the original', example: 'w=320&f=webp' }),
  q: operation({ aliases: ['quality'], argument: numberOr(integer({ minimum: 1, maximum: 100 }), word(['auto'])), step: 'encode', doc: 'Quality, with `f=auto` on the scale of JPEG; `auto` is the lowest that looks alike', example: 'w=320&q=60' }),
  lossless: operation({ aliases: [], argument: flag(), step: 'encode', doc: 'Loses nothing more (WebP, AVIF)', example: 'w=320&f=webp&lossless' }),
  effort: operation({ aliases: [], argument: integer({ minimum: 0, maximum: 6 }), step: 'encode', doc: 'Time spent on fewer bytes: 0 is fast', example: 'w=320&f=webp&effort=6' }),
  progressive: operation({ aliases: [], argument: flag(), step: 'encode', doc: 'Shows coarse first, then fine (JPEG, PNG)', example: 'w=320&f=jpeg&progressive' }),
  chromasub: operation({ aliases: ['subsampling'], argument: word(['420', '444'], { '4:2:0': '420', '4:4:4': '444' }), step: 'encode', doc: 'Resolution of colour: a quarter of that of light (`420`), or the same (JPEG, AVIF)', example: 'w=320&f=jpeg&chromasub=444' }),
  meta: operation({ aliases: ['metadata'], argument: word(['none', 'copyright', 'all'], { strip: 'none', keep: 'all' }), step: 'encode', doc: 'What is kept of the original\'s metadata; `copyright` by default', example: 'w=320&meta=none' }),
  cs: operation({ aliases: ['icc'], argument: word(['srgb', 'p3', 'keep'], { 'display-p3': 'p3' }), step: 'encode', doc: 'Colour space: sRGB (default), Display P3, or that of the original', example: 'w=320&cs=p3' })
} as const

export type Operations = typeof operations
export type OperationName = keyof Operations

/** The value of an operation. */
export type ValueOf<N extends OperationName> = Operations[N] extends Operation<infer V> ? V : never

/** Every name in canonical order. */
export const operationNames = Object.keys(operations) as OperationName[]

/** Names and aliases, and which operation each means. */
export const operationsByName: ReadonlyMap<string, OperationName> = new Map(operationNames.flatMap(key => [key, ...operations[key].aliases].map(spelling => [spelling, key] as const)))
