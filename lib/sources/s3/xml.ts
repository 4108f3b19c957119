import { SaxesParser } from 'saxes'
import type { Body } from '../../representation.ts'

/** Elements within elements; those of S3 are four deep. */
const MAX_DEPTH = 16

/** An answer is no XML, or more of it than there may be. */
export class XmlError extends Error {
  override readonly name = 'XmlError'
}

/** Told of each element as it ends: its path below the root (`Contents/Key`), and the text of its own. */
export type XmlVisitor = (path: string, text: string) => void

/**
 * Reads XML as it comes, keeping nothing. No entity is known but those of XML itself, and a document
 * type is refused: nothing expands.
 *
 * @param maxBytes how much there may be: a server that lies pushes against it
 * @returns the name of the root
 * @throws {XmlError}
 * @throws what the body fails with
 */
export async function readXml (body: Body, maxBytes: number, visit: XmlVisitor): Promise<string> {
  const reader = new XmlReader(visit)
  const decode = strictDecoder()
  let bytes = 0
  for await (const chunk of Buffer.isBuffer(body) ? [body] : body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new XmlError(`More than ${maxBytes} bytes of XML`)
    reader.write(decode(chunk))
  }
  return reader.close()
}

function strictDecoder (): (chunk: Buffer) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return chunk => {
    try {
      return decoder.decode(chunk, { stream: true })
    } catch (cause) {
      throw new XmlError('No UTF-8', { cause })
    }
  }
}

class XmlReader {
  readonly #parser = new SaxesParser()
  readonly #texts: string[] = []
  readonly #names: string[] = []
  #root = ''
  #isBegun = false

  constructor (visit: XmlVisitor) {
    this.#parser.on('error', cause => { throw new XmlError('Malformed XML', { cause }) })
    this.#parser.on('doctype', () => { throw new XmlError('A document type is not allowed') })
    this.#parser.on('opentag', ({ name }) => {
      if (this.#names.length === MAX_DEPTH) throw new XmlError(`Elements within more than ${MAX_DEPTH} others`)
      if (this.#names.length === 0) this.#root = name
      this.#names.push(name)
      this.#texts.push('')
    })
    this.#parser.on('text', text => { this.#add(text) })
    this.#parser.on('cdata', text => { this.#add(text) })
    this.#parser.on('closetag', () => {
      const path = this.#names.slice(1).join('/')
      this.#names.pop()
      visit(path, this.#texts.pop() ?? '')
    })
  }

  /** White space ahead keeps a connection alive while a store is at work, and is no XML. */
  write (text: string): void {
    const part = this.#isBegun ? text : text.trimStart()
    if (part === '') return
    this.#isBegun = true
    this.#parser.write(part)
  }

  close (): string {
    this.#parser.close()
    return this.#root
  }

  #add (text: string): void {
    const last = this.#texts.length - 1
    if (last >= 0) this.#texts[last] += text
  }
}
