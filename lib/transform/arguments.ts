import { cssColours } from './css-colours.ts'

/** How the value of one operation is written, and what it may be. Isomorphic: it runs in browsers too. */
export interface Argument<V> {
  /** The value in its one spelling. @throws {ArgumentError} which says what was expected */
  read (text: string): V
  /** The one text that {@link read} gives this value for. */
  write (value: V): string
  /** What it may be, in words, with bounds and units. */
  readonly expected: string
  /**
   * The value that stands for its neighbours where an open server bounds how many variants
   * there can be; without it every value stands for itself.
   */
  readonly snap?: (value: V) => V
}

/** A text that is no value of its operation. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError'
}

/** One of several words. Synonyms are other spellings, such as those of imgix. */
export function word<const W extends string> (words: readonly W[], synonyms: Readonly<Record<string, W>> = {}): Argument<W> {
  const known = new Map<string, W>([...words.map(name => [name, name] as const), ...Object.entries(synonyms)])
  const expected = `one of ${words.join(', ')}`
  return {
    expected,
    read (text) {
      const found = known.get(text.toLowerCase())
      if (found === undefined) throw new ArgumentError(`Expected ${expected}`)
      return found
    },
    write: String
  }
}

/** Characters of the longest list of words that is looked at. */
const MAX_CHOICES_LENGTH = 100

/** A word, or several parted by commas, the first choice first: the first that is preferred counts, or else the first. */
export function wordOf<const W extends string> (words: Argument<W>, preferred: readonly W[]): Argument<W> {
  return {
    ...words,
    read (text) {
      try {
        return words.read(text)
      } catch (error) {
        const parts = text.length > MAX_CHOICES_LENGTH ? [] : text.split(',')
        if (parts.length < 2) throw error
        const choices = parts.map(part => words.read(part))
        return choices.find(choice => preferred.includes(choice)) ?? choices[0] as W
      }
    }
  }
}

const TRUE = new Set(['', '1', 'true', 'yes', 'on'])
const FALSE = new Set(['0', 'false', 'no', 'off'])

/** On or off. The bare name is on. */
export function flag (): Argument<boolean> {
  const expected = '1 or 0'
  return {
    expected,
    read (text) {
      if (TRUE.has(text.toLowerCase())) return true
      if (FALSE.has(text.toLowerCase())) return false
      throw new ArgumentError(`Expected ${expected}`)
    },
    write: value => value ? '1' : '0'
  }
}

/** A colour: `rgb`, `rrggbb` or `rrggbbaa` in hexadecimal, with or without `#`, or its name in CSS. */
export function colour (): Argument<string> {
  const expected = 'a colour: rgb, rgba, rrggbb, rrggbbaa, or a name of CSS such as white or transparent'
  return {
    expected,
    read (text) {
      const lower = text.toLowerCase().replace(/^#/, '')
      const named = cssColours.get(lower) ?? lower
      if (!/^(?:[0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})$/.test(named)) throw new ArgumentError(`Expected ${expected}`)
      const long = named.length < 6 ? named.replaceAll(/./g, '$&$&') : named
      return long.length === 8 && long.endsWith('ff') ? long.slice(0, 6) : long
    },
    write: String
  }
}

/** A number, or a word in its place. */
export function numberOr<const W extends string> (inner: Argument<number>, words: Argument<W>): Argument<number | W> {
  const expected = `${inner.expected}, or ${words.expected}`
  return {
    expected,
    read (text) {
      try {
        return /^[-.\d]/.test(text) ? inner.read(text) : words.read(text)
      } catch {
        throw new ArgumentError(`Expected ${expected}`)
      }
    },
    write: String,
    snap: value => typeof value === 'number' ? inner.snap?.(value) ?? value : value
  }
}

/** Words to be shown. @param maximum the most characters */
export function caption (maximum: number): Argument<string> {
  const expected = `text of 1 to ${maximum} characters`
  return {
    expected,
    read (value) {
      const shown = value.normalize('NFC')
      // Control and direction characters could make a picture read other than its URL.
      if (Array.from(shown).length > maximum || shown.trim() === '' || /[\p{Cc}\p{Cs}\p{Bidi_Control}]/u.test(shown.replaceAll('\n', ''))) throw new ArgumentError(`Expected ${expected}, without control characters`)
      return shown
    },
    write: String
  }
}

/** A name that the configuration gives. */
export function configuredName (what: string): Argument<string> {
  const expected = `the name of ${what}`
  return {
    expected,
    read (value) {
      if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(value)) throw new ArgumentError(`Expected ${expected}`)
      return value
    },
    write: String
  }
}
