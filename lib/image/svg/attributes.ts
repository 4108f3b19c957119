import { sniff } from '../sniff.ts'
import { pixelsOf } from '../memory-need.ts'
import { mediaTypes } from '../format.ts'
import { readDeclarations, readValue, type Reference } from './css.ts'
import { hold } from './limits.ts'
import { ATTRIBUTES, PROPERTIES } from './names.ts'

/** What is kept of an element's attributes, and what the work of drawing it depends on. */
export interface KeptAttributes {
  /** Pairs to write, in the order in which they stood. */
  readonly pairs: (readonly [name: string, value: string])[]
  readonly references: Reference[]
  id: string | undefined
  classes: readonly string[]
  vertices: number
  pixels: number
  reach: number
}

/** An attribute as the parser gives it. */
export interface GivenAttribute {
  readonly local: string
  readonly uri: string
  readonly value: string
}

const XLINK = 'http://www.w3.org/1999/xlink'
const XML = 'http://www.w3.org/XML/1998/namespace'

/** More octaves of noise than this cannot be seen, and each takes as long as the first. */
const MAX_OCTAVES = 8

const EMBEDDED = new Set(['png', 'jpeg', 'gif', 'webp'])

/**
 * Reads the attributes of one element: what is not listed, or could fetch or run anything, is left out.
 *
 * @throws {MediaError} `image-too-large` past a limit
 */
export function readAttributes (element: string, given: readonly GivenAttribute[]): KeptAttributes {
  const kept: KeptAttributes = { pairs: [], references: [], id: undefined, classes: [], vertices: 0, pixels: 0, reach: 0 }
  for (const attribute of given) {
    const { local, uri, value } = attribute
    if (local === 'href' && (uri === '' || uri === XLINK)) keepTarget(kept, element, value)
    else if (uri === XML && (local === 'space' || local === 'lang')) keepPlain(kept, `xml:${local}`, value)
    else if (uri === '') keepOwn(kept, local, value)
  }
  return kept
}

function keepOwn (kept: KeptAttributes, name: string, value: string): void {
  if (name === 'd' || name === 'points') {
    keepPath(kept, name, value)
    return
  }
  hold('attribute', value.length)
  if (name === 'id') keepId(kept, value)
  else if (name === 'class') keepClasses(kept, value)
  else if (name === 'style') keepStyle(kept, value)
  else if (PROPERTIES.has(name)) keepProperty(kept, name, value)
  else if (ATTRIBUTES.has(name)) keepPlain(kept, name, value)
}

/** Written once all ids are known: of two elements with one id, only the first keeps it. */
function keepId (kept: KeptAttributes, value: string): void {
  if (/^[^\s"'()%\\]{1,500}$/.test(value)) kept.id = value
}

function keepClasses (kept: KeptAttributes, value: string): void {
  kept.classes = value.split(/\s+/).filter(name => name !== '')
  kept.pairs.push(['class', kept.classes.join(' ')])
}

function keepStyle (kept: KeptAttributes, value: string): void {
  const { text, references } = readDeclarations(value)
  if (text !== '') kept.pairs.push(['style', text])
  for (const reference of references) kept.references.push(reference)
}

function keepProperty (kept: KeptAttributes, property: string, value: string): void {
  const ids = readValue(value)
  if (ids === undefined) return
  kept.pairs.push([property, value])
  for (const id of ids) kept.references.push({ property, id })
}

/** An attribute that refers to nothing. */
function keepPlain (kept: KeptAttributes, name: string, value: string): void {
  if (readValue(value)?.length !== 0) return
  if (name === 'radius' || name === 'order') kept.reach = Math.max(0, ...value.split(/[\s,]+/, 2).map(part => Math.abs(Number.parseFloat(part)) || 0))
  kept.pairs.push([name, name === 'numOctaves' && Number.parseFloat(value) > MAX_OCTAVES ? String(MAX_OCTAVES) : value])
}

function keepPath (kept: KeptAttributes, name: string, value: string): void {
  if (/[^\s\w.,+-]/.test(value)) return
  kept.vertices = countNumbers(value)
  hold('pathNumbers', kept.vertices)
  kept.pairs.push([name, value])
}

/** Numbers and commands of path data, which may follow each other without a space: `1.5.5-2`. */
function countNumbers (path: string): number {
  let count = 0
  let isInside = false
  let hasPoint = false
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at)
    const isDigit = code >= 0x30 && code <= 0x39
    const isPoint = code === 0x2e
    const isExponent = code === 0x65 || code === 0x45
    const isLetter = !isExponent && code >= 0x41
    if (isLetter || (isDigit && !isInside) || (isPoint && (!isInside || hasPoint))) count++
    if (isPoint) hasPoint = true
    isInside = isDigit || isPoint
    if (!isInside) hasPoint = false
  }
  return count
}

/** A target is an element of this file or, for a picture, bytes in the file itself. A link leads nowhere. */
function keepTarget (kept: KeptAttributes, element: string, value: string): void {
  if (element === 'a' || kept.pairs.some(([name]) => name === 'href')) return
  if (element === 'image') {
    const uri = embeddedPicture(kept, value)
    if (uri !== undefined) kept.pairs.push(['href', uri])
    return
  }
  const id = /^\s{0,20}#([^\s"'()%\\]{1,500})\s{0,20}$/.exec(value)?.[1]
  if (id === undefined) return
  kept.pairs.push(['href', `#${id}`])
  kept.references.push({ property: 'href', id })
}

/** An embedded picture under the media type that its own bytes tell; none where they tell another. */
function embeddedPicture (kept: KeptAttributes, value: string): string | undefined {
  if (!/^\s{0,20}data:image\/(?:png|jpe?g|gif|webp);base64,/i.test(value)) return undefined
  const bytes = Buffer.from(value.slice(value.indexOf(',') + 1), 'base64')
  const facts = sniff(bytes)
  if (facts?.format === undefined || !EMBEDDED.has(facts.format)) return undefined
  const pixels = pixelsOf(facts)
  if (pixels === undefined) return undefined
  kept.pixels = pixels
  return `data:${mediaTypes[facts.format]};base64,${bytes.toString('base64')}`
}
