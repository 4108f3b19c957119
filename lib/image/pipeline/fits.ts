import type { Transform } from '../../transform/transform.ts'
import { area, type Rect, type Size } from './geometry.ts'

/** A part whose place follows from what is seen. */
export interface SmartCut extends Size {
  readonly by: 'attention' | 'entropy'
}

/** A rectangle in parts of pixels. */
export type Region = Rect

/** From left or top, 0, to right or bottom, 1. */
interface Point {
  readonly x: number
  readonly y: number
}

/** A fit's answer: the part of the picture that is shown, its size, and the canvas beneath. */
export interface Fitted {
  readonly region: Region
  readonly size: Size
  readonly canvas?: Size
  readonly smart?: SmartCut | undefined
}

const columns = { left: 0, right: 1 } as const
const rows = { top: 0, bottom: 1 } as const

/** Where a named position lies: `right` is the middle of the right side. */
export function pointOfPosition (position: string): Point {
  const [row, column = row] = position.split('-')
  return { x: columns[column as keyof typeof columns] ?? 0.5, y: rows[row as keyof typeof rows] ?? 0.5 }
}

/** A focal point of 0 or 1 shows the very side: positions and focal points are one thing. */
export function focusOf ({ position, fx = 0.5, fy = 0.5 }: Transform): Point {
  return position === undefined ? { x: fx, y: fy } : pointOfPosition(position)
}

/** Where a part of a side begins whose middle is to be at `at`, of 0 to 1. */
function beginning (side: number, part: number, at: number): number {
  return Math.min(Math.max(0, side * at - part / 2), side - part)
}

/** A part of a region of the given size: as near to the focus as it can be. */
function around (region: Region, size: Size, focus: Point): Region {
  return {
    left: region.left + beginning(region.width, size.width, focus.x),
    top: region.top + beginning(region.height, size.height, focus.y),
    width: size.width,
    height: size.height
  }
}

/** What is seen of a region from nearer. */
export function zoomed (region: Region, zoom: number, focus: Point): Region {
  return zoom === 1 ? region : around(region, { width: region.width / zoom, height: region.height / zoom }, focus)
}

/** The sides that are asked for, the second one by aspect ratio. */
function askedSides ({ w, h, ar, dpr = 1 }: Transform): { width?: number | undefined, height?: number | undefined } {
  const width = w === undefined ? undefined : w * dpr
  const height = h === undefined ? undefined : h * dpr
  if (ar === undefined || (width === undefined) === (height === undefined)) return { width, height }
  return { width: width ?? (height ?? 0) * ar, height: height ?? (width ?? 0) / ar }
}

/** What a fit keeps to. */
export interface Bounds {
  readonly focus: Point
  readonly enlarges: boolean
  readonly scaledPixels: number
}

/** What a transform makes of the part that is seen. */
export function fitting (transform: Transform, visible: Region, bounds: Bounds): Fitted {
  const { width, height } = askedSides(transform)
  if (width === undefined && height === undefined) return byRatio(transform, visible, bounds.focus)
  if (width === undefined || height === undefined) {
    const scale = width === undefined ? (height ?? 0) / visible.height : width / visible.width
    return scaledBy(visible, bounds.enlarges ? scale : Math.min(1, scale))
  }
  return byBox(transform, visible, { ...bounds, box: { width, height } })
}

function scaledBy (region: Region, scale: number): Fitted {
  return { region, size: whole({ width: region.width * scale, height: region.height * scale }) }
}

/** A ratio without a side: nothing is scaled. */
function byRatio ({ ar, fit }: Transform, visible: Region, focus: Point): Fitted {
  if (ar === undefined || fit === 'inside' || fit === 'outside') return scaledBy(visible, 1)
  if (fit === 'contain') {
    const width = Math.max(visible.width, visible.height * ar)
    return { ...scaledBy(visible, 1), canvas: whole({ width, height: width / ar }) }
  }
  const width = Math.min(visible.width, visible.height * ar)
  const size = { width, height: width / ar }
  return { region: fit === 'fill' ? visible : around(visible, size, focus), size: whole(size) }
}

function byBox ({ fit, position }: Transform, visible: Region, { focus, enlarges, scaledPixels, box }: Bounds & { readonly box: Size }): Fitted {
  const across = box.width / visible.width
  const down = box.height / visible.height
  const least = Math.min(across, down)
  const most = Math.max(across, down)
  // The asked shape, as large as it can be while nothing is enlarged.
  const shrunk = (scale: number): Size => enlarges || scale <= 1 ? whole(box) : whole({ width: box.width / scale, height: box.height / scale })
  switch (fit) {
    case 'fill': return { region: visible, size: shrunk(most) }
    case 'outside': return scaledBy(visible, enlarges ? most : Math.min(1, most))
    case 'contain': return contained(visible, shrunk(least))
    case 'cover':
      return position === 'attention' || position === 'entropy'
        ? choosing(visible, shrunk(most), { by: position, focus, scaledPixels })
        : covered(visible, shrunk(most), focus)
    default: return scaledBy(visible, enlarges ? least : Math.min(1, least))
  }
}

function contained (visible: Region, canvas: Size): Fitted {
  const { size } = scaledBy(visible, Math.min(canvas.width / visible.width, canvas.height / visible.height))
  return { region: visible, size: { width: Math.min(size.width, canvas.width), height: Math.min(size.height, canvas.height) }, canvas }
}

function covered (visible: Region, size: Size, focus: Point): Fitted {
  const scale = Math.max(size.width / visible.width, size.height / visible.height)
  return { region: around(visible, { width: size.width / scale, height: size.height / scale }, focus), size }
}

function choosing (visible: Region, size: Size, { by, focus, scaledPixels }: { by: SmartCut['by'], focus: Point, scaledPixels: number }): Fitted {
  const { size: covering } = scaledBy(visible, Math.max(size.width / visible.width, size.height / visible.height))
  if (area(covering) > scaledPixels) return covered(visible, size, focus)
  return { region: visible, size: { width: Math.max(size.width, covering.width), height: Math.max(size.height, covering.height) }, smart: { by, ...size } }
}

/** In whole pixels, and never none. */
export function whole ({ width, height }: Size): Size {
  return { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) }
}
