import { flag, numberOr, word } from '../arguments.ts'
import { integer, number, rectangle } from '../numeric-arguments.ts'
import { operation } from './operation.ts'

/** What is read of an original: frames, turns, cuts. */
export const reading = {
  frame: operation({
    aliases: ['page'],
    argument: integer({ minimum: 0, maximum: 99_999 }),
    step: 'open',
    doc: 'One frame or page of the original alone, counted from 0',
    example: 'frame=2'
  }),
  animated: operation({
    aliases: ['anim', 'a'],
    argument: flag(),
    step: 'open',
    doc: 'Whether all frames are kept where the format can; on by default',
    example: 'animated=0'
  }),
  orient: operation({
    aliases: ['or'],
    argument: word(['auto', 'none', '1', '2', '3', '4', '5', '6', '7', '8'], { '': 'auto', true: 'auto', false: 'none', 0: 'none' }),
    step: 'orient',
    doc: 'Turns the picture upright by its EXIF orientation (`auto`, the default), leaves it, or turns it as if it had this one',
    example: 'orient=none'
  }),
  rot: operation({
    aliases: ['rotate'],
    argument: number({ minimum: -360, maximum: 360, unit: 'degrees clockwise', grid: 45 }),
    step: 'orient',
    doc: 'Rotates; corners that become free take the background',
    example: 'rot=90'
  }),
  flip: operation({
    aliases: [],
    argument: word(['h', 'v', 'hv'], { '': 'v', 1: 'v', true: 'v', vh: 'hv', horizontal: 'h', vertical: 'v', both: 'hv' }),
    step: 'orient',
    doc: 'Mirrors left to right (`h`), top to bottom (`v`), or both',
    example: 'flip=h'
  }),
  trim: operation({
    aliases: [],
    argument: numberOr(number({ minimum: 0, maximum: 255, unit: 'difference of colour', grid: 5 }), word(['auto'], { '': 'auto', 1: 'auto', true: 'auto', color: 'auto' })),
    step: 'crop',
    doc: 'Cuts off edges of one colour; the number says how far a pixel may be from it',
    example: 'trim=auto'
  }),
  rect: operation({
    aliases: ['extract'],
    argument: rectangle(100_000),
    step: 'crop',
    doc: 'Cuts out `left,top,width,height` before anything is resized',
    example: 'rect=0.25,0.25,0.5,0.5'
  })
} as const
