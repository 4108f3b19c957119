import sharp from 'sharp'
import { colourOf } from './colour.ts'
import type { Size } from './geometry.ts'
import { DISTANCE, stamped, type Stamp } from './mark.ts'
import { rendered } from './rendering.ts'
import type { Work } from './work.ts'

const SIZE = 24
/** Dots per inch at which a point, the unit of font sizes, is a pixel. */
const POINTS_AS_PIXELS = 72
/** Heights of a font that a letter may be wide, and a line high. */
const WIDEST = 1.25
const LINE = 1.5
/** Pixels that all lines may be high: more than any picture. */
const MAX_HEIGHT = 24_000

/** Writes words over the picture, in the sans-serif font of the machine; without any font they cannot be drawn. */
export async function layWords (work: Work): Promise<Work> {
  const { job: { transform: { txt, 'txt-size': asked = SIZE, 'txt-color': colour = 'ffffff', 'txt-position': position = 'bottom-right', 'txt-pad': pad = DISTANCE } }, picture: { size } } = work
  if (txt === undefined) return work
  const room = { width: Math.max(1, size.width - 2 * pad), height: Math.max(1, size.height - 2 * pad) }
  const stamp = await wordsStamp(txt, { size: Math.max(1, Math.min(asked, room.width, room.height)), room, align: alignment(position), colour })
  return await stamped(work, stamp, { position, pad })
}

function alignment (position: string): 'left' | 'center' | 'right' {
  if (position.endsWith('left')) return 'left'
  return position.endsWith('right') ? 'right' : 'center'
}

interface Writing {
  /** Height of the font, in pixels: with it goes how many lines fit, and so what drawing costs. */
  readonly size: number
  readonly room: Size
  readonly align: 'left' | 'center' | 'right'
  readonly colour: string
}

async function wordsStamp (text: string, { size, room, align, colour }: Writing): Promise<Stamp> {
  // What cannot be seen is not drawn: it would cost much, and the engine's letters end at 32,767 pixels.
  const lines = text.split('\n').slice(0, Math.max(1, Math.ceil(room.height / size))).join('\n')
  const most = Math.max(1, Math.floor(room.width / (WIDEST * size))) * Math.ceil(MAX_HEIGHT / (LINE * size))
  const seen = Array.from(lines).slice(0, most).join('')
  const drawing = sharp({ text: { text: escaped(seen), font: `sans ${size}`, dpi: POINTS_AS_PIXELS, width: room.width, align, wrap: 'word-char' } })
  const { data, info } = await rendered(drawing.toColourspace('b-w').raw())
  const width = Math.min(info.width, room.width)
  const height = Math.min(info.height, room.height)
  const { r, g, b, alpha } = colourOf(colour)
  const bytes = Buffer.alloc(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4
      bytes[at] = r
      bytes[at + 1] = g
      bytes[at + 2] = b
      bytes[at + 3] = Math.round((data[(y * info.width + x) * info.channels] as number) * alpha)
    }
  }
  return { bytes, width, height }
}

/** The engine reads markup: what a client writes is never any. */
function escaped (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
