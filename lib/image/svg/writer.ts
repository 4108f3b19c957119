const TEXT_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
const VALUE_ESCAPES: Readonly<Record<string, string>> = { ...TEXT_ESCAPES, '"': '&quot;', '\n': '&#10;', '\t': '&#9;' }

/** Writes XML of one spelling: UTF-8, no declaration, no prefix but `xml`. */
export class SvgWriter {
  readonly #parts: string[] = []

  open (name: string, pairs: readonly (readonly [name: string, value: string])[]): void {
    this.#parts.push(`<${name}`)
    for (const [key, value] of pairs) this.#parts.push(` ${key}="${escape(value, /[&<>\r"\n\t]/g, VALUE_ESCAPES)}"`)
    this.#parts.push('>')
  }

  text (text: string): void {
    this.#parts.push(escape(text, /[&<>\r]/g, TEXT_ESCAPES))
  }

  close (name: string): void {
    const last = this.#parts.length - 1
    if (this.#parts[last] === '>') this.#parts[last] = '/>'
    else this.#parts.push(`</${name}>`)
  }

  bytes (): Buffer {
    return Buffer.from(this.#parts.join(''))
  }
}

function escape (text: string, characters: RegExp, escapes: Readonly<Record<string, string>>): string {
  return text.replace(characters, character => escapes[character] ?? '')
}
