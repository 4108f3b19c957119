import { caption, colour, configuredName, flag, word } from '../arguments.ts'
import { integer, lengthSteps, numbers } from '../numeric-arguments.ts'
import { compass, compassSynonyms } from './compass.ts'
import { MAX_SIDE, operation } from './operation.ts'

/** Borders, masks, overlays, text. */
export const decorating = {
  px: operation({
    aliases: ['pixelate'],
    argument: integer({ minimum: 2, maximum: 256, unit: 'pixels', grid: 4 }),
    step: 'decorate',
    doc: 'Squares of this side, each of one colour',
    example: 'w=320&px=12'
  }),
  radius: operation({
    aliases: ['corner-radius'],
    argument: integer({ minimum: 1, maximum: MAX_SIDE, unit: 'pixels', steps: lengthSteps }),
    step: 'decorate',
    doc: 'Rounds the corners',
    example: 'w=320&radius=40&f=png'
  }),
  mask: operation({
    aliases: [],
    argument: word(['ellipse', 'circle', 'corners']),
    step: 'decorate',
    doc: 'Shows only an ellipse or a circle; `corners` rounds by a tenth of the shorter side',
    example: 'w=200&h=200&fit=cover&mask=circle&f=png'
  }),
  pad: operation({
    aliases: ['extend'],
    argument: numbers(
      [1, 4],
      { minimum: 0, maximum: 4096, unit: 'pixels: all sides, or top,right,bottom,left', whole: true, steps: lengthSteps },
      sides => sides.length === 1 ? [...sides, ...sides, ...sides, ...sides] : sides
    ),
    step: 'decorate',
    doc: 'Adds a border of the background',
    example: 'w=320&pad=20&bg=ff8800'
  }),
  bg: operation({
    aliases: ['background', 'b', 'flatten'],
    argument: colour(),
    step: 'decorate',
    doc: 'What shows where the picture does not: borders, and behind transparency',
    example: 'w=320&h=320&fit=contain&bg=223344'
  }),
  mark: operation({
    aliases: ['overlay', 'watermark'],
    argument: configuredName('an overlay of the configuration'),
    step: 'decorate',
    doc: 'Lays a configured picture over it',
    example: 'w=320&mark=logo'
  }),
  'mark-position': operation({
    aliases: ['mark-align'],
    argument: word(compass, compassSynonyms),
    step: 'decorate',
    doc: 'Where the overlay lies; bottom right by default',
    example: 'w=320&mark=logo&mark-position=top-left'
  }),
  'mark-alpha': operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 100, unit: 'percent', grid: 10 }),
    step: 'decorate',
    doc: 'Opacity of the overlay',
    example: 'w=320&mark=logo&mark-alpha=50'
  }),
  'mark-scale': operation({
    aliases: [],
    argument: integer({ minimum: 1, maximum: 100, unit: 'percent of the picture\'s width', grid: 5 }),
    step: 'decorate',
    doc: 'Width of the overlay; its own by default, at most a third of the picture\'s',
    example: 'w=320&mark=logo&mark-scale=50'
  }),
  'mark-pad': operation({
    aliases: [],
    argument: integer({ minimum: 0, maximum: 4096, unit: 'pixels', steps: lengthSteps }),
    step: 'decorate',
    doc: 'Distance of the overlay from the edges, and between repeated ones; 10 by default',
    example: 'w=320&mark=logo&mark-pad=20'
  }),
  'mark-tile': operation({
    aliases: [],
    argument: flag(),
    step: 'decorate',
    doc: 'Repeats the overlay all over',
    example: 'w=320&mark=logo&mark-scale=20&mark-tile'
  }),
  txt: operation({
    aliases: ['text'],
    argument: caption(200),
    step: 'decorate',
    doc: 'Writes words on it, in the sans-serif font of the server',
    example: 'w=320&txt=Hello'
  }),
  'txt-size': operation({
    aliases: [],
    argument: integer({ minimum: 6, maximum: 512, unit: 'pixels', steps: lengthSteps }),
    step: 'decorate',
    doc: 'Height of the words; 24 by default',
    example: 'w=320&txt=Hello&txt-size=48'
  }),
  'txt-color': operation({
    aliases: ['txt-colour'],
    argument: colour(),
    step: 'decorate',
    doc: 'Colour of the words; white by default',
    example: 'w=320&txt=Hello&txt-color=ffcc00'
  }),
  'txt-position': operation({
    aliases: ['txt-align'],
    argument: word(compass, compassSynonyms),
    step: 'decorate',
    doc: 'Where the words stand; bottom right by default',
    example: 'w=320&txt=Hello&txt-position=center'
  }),
  'txt-pad': operation({
    aliases: [],
    argument: integer({ minimum: 0, maximum: 4096, unit: 'pixels', steps: lengthSteps }),
    step: 'decorate',
    doc: 'Distance of the words from the edges; 10 by default',
    example: 'w=320&txt=Hello&txt-pad=30'
  })
} as const
