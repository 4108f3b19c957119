import { FUNCTIONS, PROPERTIES } from './names.ts'

/** A property that names an element of the same file. */
export interface Reference {
  readonly property: string
  readonly id: string
}

/** What is kept of a style attribute or of a rule. */
export interface Declarations {
  readonly text: string
  readonly references: readonly Reference[]
}

/** What is kept of a style sheet. */
export interface Sheet {
  readonly text: string
  /** Selectors and what they refer to, for the work of matching them. */
  readonly selectors: number
  /** References by what the elements are known by: `.class`, `#id`, an element's name or `*`. */
  readonly references: ReadonlyMap<string, readonly Reference[]>
}

/**
 * The identifiers that a value refers to, or undefined where it may do anything else than draw:
 * an escape (`\75rl(`), a function that is not listed, or an `url` of anything but this file.
 * A value of an attribute is read with the same eyes.
 */
export function readValue (value: string): string[] | undefined {
  if (/[\\<>{}@\0]|\/\*/.test(value) || hasOpenString(value)) return undefined
  const ids: string[] = []
  for (let at = value.indexOf('('); at !== -1; at = value.indexOf('(', at + 1)) {
    const name = nameBefore(value, at)
    if (name === 'url') {
      const id = /^\s{0,20}(["']?)#([^"'()%\s]{1,500})\1\s{0,20}\)/.exec(value.slice(at + 1, at + 550))?.[2]
      if (id === undefined) return undefined
      ids.push(id)
    } else if (name !== '' && !FUNCTIONS.has(name)) {
      return undefined
    }
  }
  return ids
}

/** Whether a string begins that does not end: it would swallow what is written behind it. */
function hasOpenString (value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (character !== '"' && character !== '\'') continue
    at = value.indexOf(character, at + 1)
    if (at === -1) return true
  }
  return false
}

/** The function's name before a parenthesis, in lower case; a space may come between in attributes. */
function nameBefore (value: string, at: number): string {
  let end = at
  while (end > 0 && at - end < 20 && ' \t\n\r'.includes(value.charAt(end - 1))) end--
  let start = end
  while (start > 0 && end - start < 40 && /[\w-]/.test(value.charAt(start - 1))) start--
  return value.slice(start, end).toLowerCase()
}

/** Without comments: they may split what would be recognised. */
function withoutComments (css: string): string {
  if (!css.includes('/*')) return css
  const parts: string[] = []
  let at = 0
  for (;;) {
    const start = css.indexOf('/*', at)
    if (start === -1) return parts.join('') + css.slice(at)
    parts.push(css.slice(at, start), ' ')
    const end = css.indexOf('*/', start + 2)
    if (end === -1) return parts.join('')
    at = end + 2
  }
}

/**
 * Where one of the characters comes next, outside of strings and parentheses; the end where none does.
 * A string that does not end goes to the end, as for a browser it goes to the line's.
 */
function nextOf (css: string, stops: string, from: number): number {
  let depth = 0
  for (let at = from; at < css.length; at++) {
    const character = css.charAt(at)
    if (character === '"' || character === '\'') {
      const end = css.indexOf(character, at + 1)
      if (end === -1) return css.length
      at = end
    } else if (depth === 0 && stops.includes(character)) {
      return at
    } else if (character === '(') {
      depth++
    } else if (character === ')' && depth > 0) {
      depth--
    }
  }
  return css.length
}

/** Keeps the declarations that are listed and refer to nothing outside. */
export function readDeclarations (css: string): Declarations {
  const source = withoutComments(css)
  const kept: string[] = []
  const references: Reference[] = []
  for (let at = 0; at < source.length;) {
    const end = nextOf(source, ';', at)
    const declaration = source.slice(at, end)
    at = end + 1
    const colon = declaration.indexOf(':')
    const property = declaration.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    const value = declaration.slice(colon + 1).trim()
    const ids = PROPERTIES.has(property) && value !== '' ? readValue(value) : undefined
    if (ids === undefined) continue
    kept.push(`${property}:${value}`)
    for (const id of ids) references.push({ property, id })
  }
  return { text: kept.join(';'), references }
}

/** No pseudo-classes, functions or later siblings: they match nothing in a still picture, or cost a walk over all. */
const SELECTOR = /^[\w\s.#*>+[\]="'-]{1,500}$/

/** What the elements that a selector matches are known by. What is asked of attributes is left out: their values may spell all else. */
function knownBy (selector: string): string {
  const rest = selector.replaceAll(/"[^"]*"|'[^']*'/g, '').replaceAll(/\[[^[\]"']*\]/g, '')
  // A part of a value that has a comma.
  if (/[[\]"'=]/.test(rest)) return '*'
  const last = /[^\s>+]*$/.exec(rest)?.[0] ?? ''
  return /[.#][\w-]+/.exec(last)?.[0] ?? /^\w+/.exec(last)?.[0] ?? '*'
}

/** Where an at-rule such as `@import` or `@font-face` ends: all of them are left out. */
function afterAtRule (css: string, from: number): number {
  const stop = nextOf(css, ';{', from)
  if (css.charAt(stop) !== '{') return stop + 1
  let depth = 1
  let at = stop
  while (depth > 0 && at < css.length) {
    at = nextOf(css, '{}', at + 1)
    depth += css.charAt(at) === '{' ? 1 : -1
  }
  return at + 1
}

/** Keeps the rules of a style sheet that draw, and of them the declarations that {@link readDeclarations} keeps. */
export function readSheet (css: string): Sheet {
  const source = withoutComments(css).replaceAll('<!--', ' ').replaceAll('-->', ' ')
  const rules: string[] = []
  const references = new Map<string, Reference[]>()
  let selectors = 0
  for (let at = 0; at < source.length;) {
    while (at < source.length && /\s/.test(source.charAt(at))) at++
    if (source.charAt(at) === '@') {
      at = afterAtRule(source, at)
      continue
    }
    const open = nextOf(source, '{', at)
    const close = nextOf(source, '}', open + 1)
    const wanted = source.slice(at, open).split(',').map(selector => selector.trim()).filter(selector => SELECTOR.test(selector))
    const body = readDeclarations(source.slice(open + 1, close))
    at = close + 1
    if (wanted.length === 0 || body.text === '') continue
    rules.push(`${wanted.join(',')}{${body.text}}`)
    selectors += wanted.length * (1 + body.references.length)
    for (const selector of body.references.length === 0 ? [] : wanted) {
      const key = knownBy(selector)
      const known = references.get(key) ?? []
      references.set(key, known)
      for (const reference of body.references) known.push(reference)
    }
  }
  return { text: rules.join(''), selectors, references }
}
