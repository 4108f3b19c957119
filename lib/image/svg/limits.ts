import { MediaError } from '../../errors.ts'

/**
 * Bounds of an SVG. Whoever writes the file pushes against them. They keep what is cheap to
 * see away from the renderer; what is not, a worker's deadline and ceiling are for.
 */
export const SVG_LIMITS = {
  /** Bytes of the file. */
  bytes: 10 * 1024 * 1024,
  elements: 50_000,
  /** Elements inside each other. */
  depth: 200,
  /** Attributes of one element. */
  attributes: 200,
  /** Characters of one attribute, but for those of a path or an embedded picture. */
  attribute: 64 * 1024,
  /** Numbers in one path: 20,000 curves. */
  pathNumbers: 120_000,
  /** Numbers in all paths. */
  numbers: 600_000,
  /** Runs of text. */
  texts: 10_000,
  /** Letters of all texts. */
  letters: 100_000,
  /** Primitives of all filters. */
  primitives: 200,
  /** Elements times selectors. */
  matches: 20_000_000,
  /** Bytes of all style sheets. */
  sheets: 1024 * 1024,
  /** Pixels of all embedded pictures. */
  embeddedPixels: 16_000_000
} as const

export type SvgLimit = keyof typeof SVG_LIMITS

const NAMES: Readonly<Record<SvgLimit, string>> = {
  bytes: 'bytes',
  elements: 'elements',
  depth: 'elements inside each other',
  attributes: 'attributes on one element',
  attribute: 'characters in one attribute',
  pathNumbers: 'numbers in one path',
  numbers: 'numbers in its paths',
  texts: 'runs of text',
  letters: 'letters',
  primitives: 'filter primitives',
  matches: 'elements times selectors',
  sheets: 'characters in its style sheets',
  embeddedPixels: 'embedded pixels'
}

/** @throws {MediaError} `image-too-large` */
export function hold (limit: SvgLimit, value: number): void {
  if (value > SVG_LIMITS[limit]) throw new MediaError('image-too-large', { detail: `The SVG has more than ${SVG_LIMITS[limit]} ${NAMES[limit]}` })
}
