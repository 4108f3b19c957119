import { MediaError } from '../../errors.ts'
import type { Transform } from '../../transform/transform.ts'
import { fitting, focusOf, whole, zoomed, type Fitted, type Region, type SmartCut } from './fits.ts'
import { area, isWhole, sameSize, wholeOf, type Rect, type Size } from './geometry.ts'

/** What {@link planSize} works from beside the transform. */
export interface Planned {
  /** The upright picture. */
  readonly picture: Size
  /** What was cut out of it before: all of it where undefined. */
  readonly crop?: Rect | undefined
  /** Whether it is drawn anew at any size, so that `w` alone may enlarge it. */
  readonly vector?: boolean
  /**
   * Pixels that the picture may be scaled to before a part is cut out of it. Extreme ratios
   * push against it; beyond, the part is cut out first, to the nearest whole pixel.
   */
  readonly scaledPixels: number
}

/** Numbers of the `size` step, in the order they are used. All rectangles are of upright pictures. */
export interface SizePlan {
  /** What is read of the picture. */
  readonly source: Rect
  /** What the source is scaled to. */
  readonly scaled: Size
  /** What is cut out of that. */
  readonly cut: Rect
  /** Where the engine chooses: what of `cut` stays, and by what measure. */
  readonly smart?: SmartCut | undefined
  /** What it is laid on, and where: the same as `cut` unless there is a border. */
  readonly canvas: Rect
}

/** The engine's coordinates end at 10 million; rows of more than this are slow and never meant. */
const MAX_SCALED_SIDE = 100_000

/** Below this scale a decoder that can shrink while it reads does so. */
const SHRINKS_ON_LOAD = 0.5

/**
 * The part of a picture that `rect` names, clipped to it.
 *
 * @throws {MediaError} `bad-transform` where it lies outside
 */
export function planRect (picture: Size, rect: readonly number[]): Rect {
  const [left = 0, top = 0, width = 0, height = 0] = rect
  const isFraction = rect.every(value => value <= 1)
  const [across, down] = isFraction ? [picture.width, picture.height] : [1, 1]
  if (left * across >= picture.width || top * down >= picture.height || width === 0 || height === 0) {
    throw new MediaError('bad-transform', { detail: `rect: the picture has ${picture.width} × ${picture.height} pixels, and this lies outside` })
  }
  // However small a part is, a pixel of it is shown.
  const x = Math.min(Math.round(left * across), picture.width - 1)
  const y = Math.min(Math.round(top * down), picture.height - 1)
  return {
    left: x,
    top: y,
    width: Math.max(1, Math.min(picture.width, Math.round((left + width) * across)) - x),
    height: Math.max(1, Math.min(picture.height, Math.round((top + height) * down)) - y)
  }
}

/** Plans the `size` step: every fit, aspect ratio, focal point and zoom comes to one scaling and one cut. */
export function planSize (transform: Transform, { picture, crop = wholeOf(picture), vector = false, scaledPixels }: Planned): SizePlan {
  const focus = focusOf(transform)
  const visible = zoomed(crop, transform.zoom ?? 1, focus)
  const fitted = fitting(transform, visible, { focus, scaledPixels, enlarges: transform.enlarge ?? (transform.fit !== undefined || vector) })
  const { smart } = fitted
  const placed = scaling(fitted, { picture, crop, scaledPixels })
  const shown = smart ?? placed.cut
  const canvas = fitted.canvas ?? shown
  return {
    ...placed,
    smart,
    canvas: {
      left: Math.floor((canvas.width - shown.width) * focus.x),
      top: Math.floor((canvas.height - shown.height) * focus.y),
      width: canvas.width,
      height: canvas.height
    }
  }
}

/** How a region comes to a size: scaled as a part of the whole where decoders can shrink, or cut out first. */
function scaling ({ region, size }: Fitted, { picture, crop, scaledPixels }: { picture: Size, crop: Rect, scaledPixels: number }): Pick<SizePlan, 'source' | 'scaled' | 'cut'> {
  const [across, down] = [size.width / region.width, size.height / region.height]
  const shrinks = Math.max(across, down) <= SHRINKS_ON_LOAD
  const source = shrinks ? wholeOf(picture) : crop
  const scaled = whole({ width: source.width * across, height: source.height * down })
  const isLarge = area(scaled) > scaledPixels || Math.max(scaled.width, scaled.height) > MAX_SCALED_SIDE
  if (isLarge || sameSize(scaled, source)) {
    const part = wholePixels(region, picture)
    // Nothing is scaled, so nothing may change by a rounded pixel either.
    const cutFirst = sameSize(scaled, source) ? { ...part, left: Math.min(part.left, picture.width - size.width), top: Math.min(part.top, picture.height - size.height), ...size } : part
    return { source: cutFirst, scaled: size, cut: wholeOf(size) }
  }
  const cut = {
    left: Math.min(Math.round((region.left - source.left) * across), scaled.width - size.width),
    top: Math.min(Math.round((region.top - source.top) * down), scaled.height - size.height),
    width: size.width,
    height: size.height
  }
  return { source, scaled, cut: isWhole(cut, scaled) ? wholeOf(scaled) : cut }
}

function wholePixels (region: Region, picture: Size): Rect {
  const left = Math.min(Math.round(region.left), picture.width - 1)
  const top = Math.min(Math.round(region.top), picture.height - 1)
  return {
    left,
    top,
    width: Math.max(1, Math.min(Math.round(region.width), picture.width - left)),
    height: Math.max(1, Math.min(Math.round(region.height), picture.height - top))
  }
}
