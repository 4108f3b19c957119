import { flag, numberOr, word } from '../arguments.ts'
import { integer } from '../numeric-arguments.ts'
import { operation } from './operation.ts'

/** What a file may be asked for as. */
export const formatWords = ['auto', 'jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const

/** The format, and what is kept beside the pixels. */
export const encoding = {
  f: operation({
    aliases: ['fm', 'format'],
    argument: word(formatWords, { jpg: 'jpeg', tif: 'tiff' }),
    step: 'encode',
    doc: 'The format; `auto` is the best that the client accepts. Without it, that of the original',
    example: 'w=320&f=webp'
  }),
  q: operation({
    aliases: ['quality'],
    argument: numberOr(integer({ minimum: 1, maximum: 100 }), word(['auto'])),
    step: 'encode',
    doc: 'Quality, with `f=auto` on the scale of JPEG; `auto` is the lowest that looks alike',
    example: 'w=320&q=60'
  }),
  lossless: operation({ aliases: [], argument: flag(), step: 'encode', doc: 'Loses nothing more (WebP, AVIF)', example: 'w=320&f=webp&lossless' }),
  effort: operation({
    aliases: [],
    argument: integer({ minimum: 0, maximum: 6 }),
    step: 'encode',
    doc: 'Time spent on fewer bytes: 0 is fast',
    example: 'w=320&f=webp&effort=6'
  }),
  progressive: operation({
    aliases: [],
    argument: flag(),
    step: 'encode',
    doc: 'Shows coarse first, then fine (JPEG, PNG)',
    example: 'w=320&f=jpeg&progressive'
  }),
  chromasub: operation({
    aliases: ['subsampling'],
    argument: word(['420', '444'], { '4:2:0': '420', '4:4:4': '444' }),
    step: 'encode',
    doc: 'Resolution of colour: a quarter of that of light (`420`), or the same (JPEG, AVIF)',
    example: 'w=320&f=jpeg&chromasub=444'
  }),
  meta: operation({
    aliases: ['metadata'],
    argument: word(['none', 'copyright', 'all'], { strip: 'none', keep: 'all' }),
    step: 'encode',
    doc: 'What is kept of the original\'s metadata; `copyright` by default',
    example: 'w=320&meta=none'
  }),
  cs: operation({
    aliases: ['icc'],
    argument: word(['srgb', 'p3', 'keep'], { 'display-p3': 'p3' }),
    step: 'encode',
    doc: 'Colour space: sRGB (default), Display P3, or that of the original',
    example: 'w=320&cs=p3'
  })
} as const
