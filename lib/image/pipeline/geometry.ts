/** Sides in pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** Whole pixels of a picture, from its top left. */
export interface Rect extends Size {
  readonly left: number
  readonly top: number
}

/** One of the eight ways a picture can lie: mirrored left to right first, if at all, then rotated clockwise. */
export interface Turn {
  readonly mirrored: boolean
  readonly degrees: 0 | 90 | 180 | 270
}

/** As it is. */
export const UPRIGHT: Turn = { mirrored: false, degrees: 0 }

/** By EXIF orientation (EXIF 2.32, tag 0x0112), what makes a stored picture upright. */
const turns: readonly Turn[] = [
  UPRIGHT,
  { mirrored: true, degrees: 0 },
  { mirrored: false, degrees: 180 },
  { mirrored: true, degrees: 180 },
  { mirrored: true, degrees: 270 },
  { mirrored: false, degrees: 90 },
  { mirrored: true, degrees: 90 },
  { mirrored: false, degrees: 270 }
]

function rightAngle (degrees: number): Turn['degrees'] {
  return ((degrees % 360 + 360) % 360) as Turn['degrees']
}

/** What makes a picture of this EXIF orientation upright. An orientation that does not exist asks for nothing. */
export function turnOfOrientation (orientation: number): Turn {
  return turns[orientation - 1] ?? UPRIGHT
}

/** The turn, and then a rotation. @param degrees clockwise, a multiple of 90 */
export function rotated (turn: Turn, degrees: number): Turn {
  return { mirrored: turn.mirrored, degrees: rightAngle(turn.degrees + degrees) }
}

/** The turn, and then a mirror: left to right (`h`), top to bottom (`v`), or both. */
export function flipped (turn: Turn, way: 'h' | 'v' | 'hv'): Turn {
  if (way === 'hv') return rotated(turn, 180)
  // A mirror that follows a rotation equals one that comes before the opposite rotation.
  return { mirrored: !turn.mirrored, degrees: rightAngle((way === 'v' ? 180 : 0) - turn.degrees) }
}

export function swapped ({ width, height }: Size): Size {
  return { width: height, height: width }
}

/** The size of a picture after a turn. It is its own inverse. */
export function turnedSize (size: Size, turn: Turn): Size {
  return turn.degrees % 180 !== 0 ? swapped(size) : { width: size.width, height: size.height }
}

/**
 * Where a part of the turned picture lies in the picture as stored.
 *
 * @param whole size of the turned picture
 */
export function unturnedRect (rect: Rect, whole: Size, turn: Turn): Rect {
  let { left, top, width, height } = rect
  let size = whole
  for (let degrees: number = turn.degrees; degrees > 0; degrees -= 90) {
    [left, top, width, height] = [top, size.width - left - width, height, width]
    size = swapped(size)
  }
  return { left: turn.mirrored ? size.width - left - width : left, top, width, height }
}

/** The smallest upright box around a rectangle that was rotated by any angle. */
export function rotatedBox ({ width, height }: Size, degrees: number): Size {
  const angle = degrees * Math.PI / 180
  const [sine, cosine] = [Math.abs(Math.sin(angle)), Math.abs(Math.cos(angle))]
  return { width: width * cosine + height * sine, height: width * sine + height * cosine }
}

/** @returns pixels */
export function area ({ width, height }: Size): number {
  return width * height
}

export function isWhole (rect: Rect, size: Size): boolean {
  return rect.left === 0 && rect.top === 0 && sameSize(rect, size)
}

export function sameSize (one: Size, other: Size): boolean {
  return one.width === other.width && one.height === other.height
}

export function wholeOf ({ width, height }: Size): Rect {
  return { left: 0, top: 0, width, height }
}
