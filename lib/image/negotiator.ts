import { Recent } from '../cache/recent.ts'
import type { OutputFormat } from './format.ts'
import { negotiateFormat, type Nature } from './negotiate.ts'

/** `Accept` fields that are read once, of so many characters at most. Whoever sends ever new ones pushes against both. */
const REMEMBERED = 256
const REMEMBERED_CHARACTERS = 256

/** All that natures differ in, as far as formats go. */
const natures = [false, true].flatMap(alpha => [false, true].map(animated => ({ format: 'png', alpha, animated } as const)))

/** What `f=auto` comes to on one mount. */
export class Negotiator {
  readonly #formats: readonly OutputFormat[]
  /** What is left to choose from where AVIF would take too long. */
  readonly #quick: readonly OutputFormat[]
  readonly #known = new Recent<string, string>(REMEMBERED)

  /** @param formats what is chosen from, the best first */
  constructor (formats: readonly OutputFormat[]) {
    this.#formats = formats
    this.#quick = formats.filter(name => name !== 'avif')
  }

  best (accept: string | undefined, nature: Nature): OutputFormat {
    return negotiateFormat(accept, nature, this.#formats)
  }

  /** The best of those that are made fast. */
  quick (accept: string | undefined, nature: Nature): OutputFormat {
    return negotiateFormat(accept, nature, this.#quick)
  }

  /** All that a field leads to, whatever the original is: of few values, whatever clients send. */
  choices (accept = ''): string {
    const known = this.#known.get(accept)
    if (known !== undefined) return known
    const choices = natures.flatMap(nature => [this.best(accept, nature), this.quick(accept, nature)]).join()
    if (accept.length <= REMEMBERED_CHARACTERS) this.#known.set(accept, choices)
    return choices
  }
}
