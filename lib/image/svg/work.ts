import { MediaError } from '../../errors.ts'
import type { Reference, Sheet } from './css.ts'
import { INHERITED, SHAPES } from './names.ts'

/**
 * Work that drawing may take, in units of a small rectangle, which took 40 µs: up to it,
 * drawings of all kinds took 0.1 to 7 s. Whoever writes the file pushes against it: by
 * references to references, filters, or letters.
 */
const MAX_WORK = 100_000

/** References and elements inside each other. A file's author pushes against it. */
const MAX_CHAIN = 600

/** Units for what was measured beside a rectangle's 40 µs, at 500 × 500 pixels. */
const WORK = {
  /** A primitive of a filter: a blur took 7 ms. */
  primitive: 200,
  feTurbulence: 1400,
  /** By the square of the radius: 0.74 s at 50. */
  feMorphology: 7,
  /** By the square of the order: 0.8 s at 20. */
  feConvolveMatrix: 50,
  /** A mask, a clip or a filter has a canvas of its own. */
  canvas: 30,
  /** One more place of a path; where its curves cross at random it is far more, and the deadline's matter. */
  vertex: 0.05,
  /** By the square of the letters of one text: 9,000 took 0.46 s, 90,000 took 88 s. */
  letter: 0.0002,
  /** A pixel of an embedded picture. */
  pixel: 0.0005
} as const

/** An element of the sanitised picture, as far as its work goes. */
export interface SvgNode {
  readonly name: string
  /** What a style sheet knows it by. */
  readonly keys: readonly string[]
  readonly references: Reference[]
  readonly children: SvgNode[]
  readonly vertices: number
  /** Pixels of an embedded picture. */
  readonly pixels: number
  /** A filter primitive's radius or order. */
  readonly reach: number
  letters: number
}

/** What drawing an element takes: units, and how often what it inherits is drawn. */
interface Load { units: number, shapes: number, vertices: number }

const PAINT_SERVERS = new Set(['linearGradient', 'radialGradient', 'stop'])
/** Drawn where they are referred to, not where they stand. */
const DEFINITIONS = new Set(['defs', 'symbol', 'pattern', 'mask', 'clipPath', 'marker', 'filter'])
const CANVASES = new Set(['mask', 'clip-path', 'filter', 'pattern'])

function ownUnits (node: SvgNode): number {
  const { name, reach, vertices, pixels, letters } = node
  if (PAINT_SERVERS.has(name)) return 0
  if (name === 'feMorphology') return WORK.primitive + WORK.feMorphology * reach ** 2
  if (name === 'feConvolveMatrix') return WORK.primitive + WORK.feConvolveMatrix * reach ** 2
  if (name === 'feTurbulence') return WORK.feTurbulence
  if (name.startsWith('fe')) return WORK.primitive
  const letterUnits = name === 'text' ? WORK.letter * letters ** 2 : 0
  return 1 + WORK.vertex * vertices + WORK.pixel * pixels + letterUnits
}

/**
 * Adds up what drawing takes, with every reference followed as often as it is drawn.
 *
 * @throws {MediaError} `broken-image` for a circle of references, `image-too-large` past {@link MAX_WORK}
 */
export function checkWork (root: SvgNode, byId: ReadonlyMap<string, SvgNode>, sheet: Sheet['references']): void {
  const loads = new Map<SvgNode, Load | 'open'>()
  const loadOf = (node: SvgNode, depth: number): Load => {
    const known = loads.get(node)
    if (known === 'open') throw new MediaError('broken-image', { detail: 'The SVG refers to itself in a circle' })
    if (known !== undefined) return known
    if (depth > MAX_CHAIN) throw new MediaError('image-too-large', { detail: `The SVG has references or elements more than ${MAX_CHAIN} deep` })
    loads.set(node, 'open')
    const load = { units: ownUnits(node), shapes: SHAPES.has(node.name) ? 1 : 0, vertices: SHAPES.has(node.name) ? Math.max(1, node.vertices) : 0 }
    for (const child of node.children) addLoad(load, loadOf(child, depth + 1), DEFINITIONS.has(child.name) ? 0 : 1)
    const referred = node.keys.flatMap(key => sheet.get(key) ?? []).concat(node.references)
    for (const { property, id } of referred) {
      const target = byId.get(id)
      if (target === undefined) continue
      const added = loadOf(target, depth + 1)
      if (property === 'href') addLoad(load, added, 1)
      else load.units += (added.units + (CANVASES.has(property) ? WORK.canvas : 0)) * times(property, load)
    }
    if (load.units > MAX_WORK) throw new MediaError('image-too-large', { detail: 'The SVG takes too much work to draw' })
    loads.set(node, load)
    return load
  }
  loadOf(root, 0)
}

/** How often a referenced element is drawn. */
function times (property: string, load: Load): number {
  if (!INHERITED.has(property)) return 1
  return property.startsWith('marker') ? load.vertices : load.shapes
}

function addLoad (load: Load, other: Load, count: number): void {
  load.units += other.units * count
  load.shapes += other.shapes * count
  load.vertices += other.vertices * count
}
