import { SaxesParser, type SaxesTagNS } from 'saxes'
import { MediaError } from '../errors.ts'
import { decodeXml } from './headers/svg.ts'
import { readAttributes } from './svg/attributes.ts'
import { readSheet, type Reference } from './svg/css.ts'
import { hold, type SvgLimit } from './svg/limits.ts'
import { ELEMENTS, TEXT_ELEMENTS } from './svg/names.ts'
import { checkWork, type SvgNode } from './svg/work.ts'
import { SvgWriter } from './svg/writer.ts'

const SVG = 'http://www.w3.org/2000/svg'

/**
 * Makes an SVG safe to draw and to send: what draws is kept, written anew in one spelling, and
 * nothing is left that runs, fetches or refers outside of the file. The time is linear in the bytes.
 *
 * Scripts, handlers, animation, foreign content, links and what is not known are left out;
 * the picture stays. Malformed XML, declared entities, circles and what is past a bound are refused.
 *
 * @throws {MediaError} `broken-image` (malformed, entities, circles), `image-too-large` (past a bound of `svg/limits.ts`)
 */
export function sanitiseSvg (bytes: Uint8Array): Buffer {
  hold('bytes', bytes.length)
  const sanitiser = new Sanitiser()
  const parser = new SaxesParser({ xmlns: true, position: false, defaultXMLVersion: '1.0', forceXMLVersion: true })
  let attributes = 0
  parser.on('error', error => { throw broken(error.message) })
  parser.on('doctype', refuseEntities)
  parser.on('opentagstart', () => {
    attributes = 0
    sanitiser.count('elements', 1)
  })
  parser.on('attribute', () => hold('attributes', ++attributes))
  parser.on('opentag', tag => sanitiser.open(tag))
  parser.on('closetag', () => sanitiser.close())
  parser.on('text', text => sanitiser.text(text))
  parser.on('cdata', text => sanitiser.text(text))
  parser.write(decodeXml(bytes)).close()
  return sanitiser.finish()
}

function broken (detail: string): MediaError {
  return new MediaError('broken-image', { detail: `The SVG is malformed: ${detail.slice(0, 200)}` })
}

/** The five entities of XML are enough; others can be made to grow without bound. */
function refuseEntities (doctype: string): void {
  if (doctype.includes('[')) throw new MediaError('broken-image', { detail: 'The SVG declares entities' })
}

/** What is open: an element that is kept, or one that is left out with all inside. */
type Open = SvgNode | undefined

/** Follows a parser through one file. */
class Sanitiser {
  readonly #writer = new SvgWriter()
  readonly #open: Open[] = []
  readonly #byId = new Map<string, SvgNode>()
  readonly #sheet = new Map<string, Reference[]>()
  readonly #counts = new Map<SvgLimit, number>()
  #root: SvgNode | undefined
  /** The namespace of the root: old files have none. */
  #space = SVG
  /** The text of an open style element. */
  #style: string[] = []
  #selectors = 0

  count (limit: SvgLimit, more: number): void {
    const sum = (this.#counts.get(limit) ?? 0) + more
    this.#counts.set(limit, sum)
    hold(limit, sum)
  }

  open (tag: SaxesTagNS): void {
    hold('depth', this.#open.length + 1)
    if (this.#root === undefined) this.#space = tag.uri === '' ? '' : SVG
    const parent = this.#open.at(-1)
    const isWanted = tag.uri === this.#space && ELEMENTS.has(tag.local) && (this.#root === undefined || (parent !== undefined && parent.name !== 'style'))
    if (this.#root === undefined && !(isWanted && tag.local === 'svg')) throw new MediaError('broken-image', { detail: 'The root element is no svg' })
    const node = isWanted ? this.#keep(tag) : undefined
    if (node !== undefined) parent?.children.push(node)
    this.#root ??= node
    this.#open.push(node)
  }

  #keep (tag: SaxesTagNS): SvgNode {
    const { local: name } = tag
    const { pairs, references, id, classes, vertices, pixels, reach } = readAttributes(name, Object.values(tag.attributes))
    const isFirst = id !== undefined && !this.#byId.has(id)
    this.count('numbers', vertices)
    this.count('embeddedPixels', pixels)
    if (name.startsWith('fe')) this.count('primitives', 1)
    if (TEXT_ELEMENTS.has(name)) this.count('texts', 1)
    const keys = ['*', name, ...isFirst ? [`#${id}`] : [], ...classes.map(each => `.${each}`)]
    const node: SvgNode = { name, keys, references, children: [], vertices, pixels, reach, letters: 0 }
    if (isFirst) this.#byId.set(id, node)
    const space: [string, string][] = this.#root === undefined ? [['xmlns', SVG]] : []
    this.#writer.open(name, [...space, ...isFirst ? [['id', id] as const] : [], ...pairs])
    return node
  }

  text (text: string): void {
    const node = this.#open.at(-1)
    if (node?.name === 'style') {
      this.count('sheets', text.length)
      this.#style.push(text)
      return
    }
    if (node === undefined || !TEXT_ELEMENTS.has(node.name)) return
    this.count('texts', 1)
    this.count('letters', text.length)
    // The renderer lays out a text as a whole, its parts included.
    const whole = this.#open.find(each => each?.name === 'text') ?? node
    whole.letters += text.length
    this.#writer.text(text)
  }

  close (): void {
    const node = this.#open.pop()
    if (node === undefined) return
    if (node.name === 'style') this.#writeSheet()
    this.#writer.close(node.name)
  }

  #writeSheet (): void {
    const { text, selectors, references } = readSheet(this.#style.join(''))
    this.#style = []
    this.#selectors += selectors
    for (const [key, added] of references) this.#sheet.set(key, (this.#sheet.get(key) ?? []).concat(added))
    if (text !== '') this.#writer.text(text)
  }

  finish (): Buffer {
    /* c8 ignore next -- the parser refuses a file without a root */
    if (this.#root === undefined) throw broken('no root element')
    hold('matches', this.#selectors * (this.#counts.get('elements') ?? 0))
    checkWork(this.#root, this.#byId, this.#sheet)
    return this.#writer.bytes()
  }
}
