import type { Sharp } from 'sharp'
import type { OutputFormat } from '../format.ts'
import type { Original, Picture, Work } from './work.ts'

/** Red, green and blue from 0 to 255, and opacity from 0 to 1. */
export interface Colour {
  readonly r: number
  readonly g: number
  readonly b: number
  readonly alpha: number
}

const WHITE: Colour = { r: 255, g: 255, b: 255, alpha: 1 }
const CLEAR: Colour = { r: 0, g: 0, b: 0, alpha: 0 }

/** @param hex `rrggbb` or `rrggbbaa`, as the table writes it */
export function colourOf (hex: string): Colour {
  const [r = 0, g = 0, b = 0, alpha = 255] = (hex.match(/../g) ?? []).map(byte => Number.parseInt(byte, 16))
  return { r, g, b, alpha: alpha / 255 }
}

/** Whether a format can be transparent. */
export function keepsAlpha (format: OutputFormat): boolean {
  return format !== 'jpeg'
}

/** What shows where the picture does not: `bg`; without it nothing, or white where the format has no such thing. */
export function background (bg: string | undefined, format: OutputFormat): Colour {
  const asked = bg === undefined ? CLEAR : colourOf(bg)
  return keepsAlpha(format) ? asked : onWhite(asked)
}

function onWhite ({ r, g, b, alpha }: Colour): Colour {
  const mixed = (sample: number, white: number): number => Math.round(sample * alpha + white * (1 - alpha))
  return { r: mixed(r, WHITE.r), g: mixed(g, WHITE.g), b: mixed(b, WHITE.b), alpha: 1 }
}

export function isGrey ({ r, g, b }: Colour): boolean {
  return r === g && g === b
}

/** What profiles of Display P3 call it: those of cameras and screens, and that of the engine. */
const displayP3 = ['Display P3', 'sP3C']

/** What is done about colours before the first pixel is settled. */
type Way = 'srgb' | 'deep-srgb' | 'p3' | 'wide-p3' | 'keep'

/** By what way the colours of an original come to those that were asked for. */
export function wayOfColours ({ icc, space, deep }: Original, cs: 'srgb' | 'p3' | 'keep' | undefined): Way {
  if (icc === undefined || space === 'cmyk') return cs === 'p3' ? 'p3' : 'srgb'
  if (cs === 'keep' || (cs === 'p3' && displayP3.some(name => hasName(icc, name)))) return 'keep'
  // Through sRGB, which the engine works in, whatever lies outside of it would be lost.
  if (cs === 'p3') return hasName(icc, 'sRGB') || isGreySpace(space) ? 'p3' : 'wide-p3'
  // The engine takes deep pictures to Display P3, and would then take those values for sRGB's.
  return deep && !isGreySpace(space) ? 'deep-srgb' : 'srgb'
}

export function isGreySpace (space: string): boolean {
  return space === 'b-w' || space === 'grey16'
}

/** Whether a profile's description, in Latin letters or UTF-16, has this name. */
function hasName (icc: Buffer, name: string): boolean {
  return icc.includes(name, 0, 'latin1') || icc.includes(Buffer.from(name, 'utf16le').swap16())
}

/** The picture's image with what makes its colours those that were asked for. */
export function inWorkingColours ({ picture, original, job: { transform: { cs } } }: Work): Sharp {
  const image = inChannels(picture)
  if (picture.colours === 'carried') return image.keepIccProfile()
  if (picture.colours === 'late') return profiled(image)
  const way = picture.colours === 'original' ? wayOfColours(original, cs) : cs === 'p3' ? 'p3' : 'srgb'
  if (way === 'keep') return image.keepIccProfile()
  // Grey has no colours to lose: it is the same in sRGB and in Display P3.
  if (way === 'srgb' || picture.grey) return image
  return way === 'deep-srgb' ? profiled(image) : image.withIccProfile('p3')
}

/** The picture's image in sRGB, for bare pixels: no profile goes along with them. */
export function inSrgb ({ picture, original }: Work): Sharp {
  const image = inChannels(picture)
  if (picture.colours === 'late') return profiled(image)
  const way = picture.colours === 'original' ? wayOfColours(original, undefined) : 'srgb'
  return way === 'deep-srgb' && !picture.grey ? profiled(image) : image
}

/** In sRGB by the profile that the image has, which the engine applies last. */
function profiled (image: Sharp): Sharp {
  return image.withIccProfile('srgb', { attach: false })
}

function inChannels ({ image, grey }: Picture): Sharp {
  return grey ? image.toColourspace('b-w') : image
}
