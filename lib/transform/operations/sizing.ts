import { flag, word, wordOf } from '../arguments.ts'
import { number, pixels, ratio } from '../numeric-arguments.ts'
import { compass, compassSynonyms } from './compass.ts'
import { MAX_SIDE, operation } from './operation.ts'

/** The size, and what stays when it has another shape. */
export const sizing = {
  w: operation({
    aliases: ['width'],
    argument: pixels(MAX_SIDE),
    step: 'size',
    doc: 'Width; a height that nobody asked for is bounded by the limits',
    example: 'w=320'
  }),
  h: operation({ aliases: ['height'], argument: pixels(MAX_SIDE), step: 'size', doc: 'Height', example: 'h=200' }),
  ar: operation({
    aliases: ['aspect-ratio'],
    argument: ratio({ minimum: 0.01, maximum: 100 }),
    step: 'size',
    doc: 'Width to height; crops where only one side is given',
    example: 'w=320&ar=1:1'
  }),
  fit: operation({
    aliases: [],
    argument: word(['cover', 'contain', 'fill', 'inside', 'outside', 'scale-down', 'pad'], { crop: 'cover', clip: 'inside', max: 'scale-down', scale: 'fill', 'fill-down': 'scale-down' }),
    step: 'size',
    doc: 'How a picture meets both sides: `cover` cuts, `contain` adds a transparent and `pad` a white border, `fill` distorts, `inside` and `outside` keep all, `scale-down` (default) never enlarges',
    example: 'w=320&h=320&fit=cover'
  }),
  enlarge: operation({
    aliases: [],
    argument: flag(),
    step: 'size',
    doc: 'Whether a small original is enlarged; on by default where `fit` is given',
    example: 'w=320&h=200&fit=cover&enlarge=0'
  }),
  position: operation({
    aliases: ['pos', 'gravity', 'crop'],
    argument: wordOf(word([...compass, 'attention', 'entropy', 'focalpoint'], { ...compassSynonyms, smart: 'attention', faces: 'attention', edges: 'entropy' }), ['attention', 'entropy']),
    step: 'size',
    doc: 'What stays when `cover` cuts: a side or corner, the part that draws the eye (`attention`), that with most detail (`entropy`)',
    example: 'w=200&h=200&fit=cover&position=attention'
  }),
  fx: operation({
    aliases: ['fp-x'],
    argument: number({ minimum: 0, maximum: 1, grid: 0.1 }),
    step: 'size',
    doc: 'Focal point: its place from left (0) to right (1)',
    example: 'w=200&h=200&fit=cover&fx=0.2&fy=0.5'
  }),
  fy: operation({
    aliases: ['fp-y'],
    argument: number({ minimum: 0, maximum: 1, grid: 0.1 }),
    step: 'size',
    doc: 'Focal point: its place from top (0) to bottom (1)',
    example: 'w=200&h=200&fit=cover&fx=0.5&fy=0.9'
  }),
  zoom: operation({
    aliases: ['fp-z'],
    argument: number({ minimum: 1, maximum: 10, grid: 0.5 }),
    step: 'size',
    doc: 'Goes nearer to the focal point: 2 shows half of each side',
    example: 'w=200&zoom=2&fx=0.3&fy=0.3'
  }),
  dpr: operation({
    aliases: [],
    argument: number({ minimum: 0.5, maximum: 5, grid: 0.5 }),
    step: 'size',
    doc: 'Pixels of the screen to one of the page: sizes are multiplied by it',
    example: 'w=160&dpr=2'
  }),
  kernel: operation({
    aliases: [],
    argument: word(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3', 'mks2013', 'mks2021']),
    step: 'size',
    doc: 'How pixels are weighed when the size changes',
    example: 'w=320&kernel=nearest'
  }),
  gamma: operation({
    aliases: [],
    argument: number({ minimum: 1, maximum: 3, grid: 0.2 }),
    step: 'size',
    doc: 'Resizes in light that is linear by this gamma',
    example: 'w=320&gamma=2.2',
    apply: (image, value) => image.gamma(value)
  })
} as const
