import type { WarmCounts, WarmNews } from '../lib/warm.ts'
import { reasonOf } from './reason.ts'

/** Where progress is shown. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write (text: string): unknown
}

/** Milliseconds between two changes of the line. */
const DRAW_MS = 100
/** Milliseconds between two lines where nobody looks at a terminal. */
const LINE_MS = 30_000
/** Characters of the bar, and of a line where the terminal does not tell its width. */
const BAR = 20
const COLUMNS = 80

/** How far it is: one line that is drawn over on a terminal, a line now and then elsewhere, and a line for each file that failed. */
export class Progress {
  readonly #terminal: Terminal
  readonly #timer: NodeJS.Timeout
  readonly #counts: WarmCounts = { made: 0, there: 0, failed: 0, picture: 0, 'no-picture': 0 }
  #path = ''
  /** Files, once they are counted. */
  total: number | undefined

  constructor (terminal: Terminal) {
    this.#terminal = terminal
    this.#timer = setInterval(() => this.#draw(), terminal.isTTY === true ? DRAW_MS : LINE_MS).unref()
  }

  take (news: WarmNews): void {
    this.#counts[news.kind]++
    this.#path = news.path
    if (news.kind === 'failed' && news.isNew) this.say(`${printable(news.path)}: ${printable(reasonOf(news.error))}`)
  }

  /** A line above that of the progress. */
  say (line: string): void {
    this.#terminal.write(`${this.#erase}${line}\n`)
  }

  end (): void {
    clearInterval(this.#timer)
    this.#terminal.write(this.#erase)
  }

  summary (): string {
    const { made, there, failed, 'no-picture': others } = this.#counts
    const parts = [`${made} ${made === 1 ? 'variant' : 'variants'} made`, `${there} there already`, `${failed} failed`]
    return `${parts.join(', ')}; ${others} ${others === 1 ? 'file is no picture' : 'files are no pictures'}`
  }

  #draw (): void {
    if (this.#terminal.isTTY !== true) this.say(this.summary())
    else this.#terminal.write(`${this.#erase}${this.#line().slice(0, (this.#terminal.columns ?? COLUMNS) - 1)}`)
  }

  #line (): string {
    const { made, there, failed, picture, 'no-picture': others } = this.#counts
    const files = picture + others
    const share = this.total === undefined ? 0 : Math.min(1, files / Math.max(1, this.total))
    const bar = '#'.repeat(Math.round(share * BAR)).padEnd(BAR, '.')
    return `[${bar}] ${files}${this.total === undefined ? '' : `/${this.total}`} files, ${made} made, ${there} there, ${failed} failed  ${printable(this.#path)}`
  }

  /** Back to the beginning of the line, and clears it (ECMA-48 EL). */
  get #erase (): string {
    return this.#terminal.isTTY === true ? '\r\u001b[K' : ''
  }
}

/** Names come from whoever fills the directory: none of them steers the terminal. */
function printable (text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}
