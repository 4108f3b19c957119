import { createHash } from 'node:crypto'
import { pipeline, Readable, type Transform } from 'node:stream'
import { PiecesStream, type Pieces } from './pieces.ts'
import { PlaylistLines } from './playlist.ts'
import { referenceMapper, type Places } from './references.ts'
import { replacementsOf, type Replacements, type Rule } from './replacement.ts'
import type { TextKind } from './text-types.ts'
import { pathRules, urlRules } from './url-rules.ts'

/** What is changed in texts, and where. */
export interface TextOptions extends Places {
  /** Whether URLs of the origins lead to the mount. */
  readonly urls: boolean
  readonly replace: ReadonlyArray<{ readonly from: string, readonly to: string }>
}

/** A body, of which all that is still encoded is decoded first. */
export interface EncodedText {
  readonly kind: TextKind
  readonly body: Buffer | Readable
  readonly decoders: ReadonlyArray<() => Transform>
}

/** Changes bodies of text. */
export interface TextChanges {
  /** Tells these changes from others, in 11 characters. */
  readonly hash: string
  /** A body that came whole, and stays small, comes whole. */
  apply (text: EncodedText): Buffer | Readable
}

/** Another way to find what is replaced has another number: bodies that were changed the old way have other tags. */
const VERSION = 1

/** The most bytes that become of a body which is changed in one go. */
const WHOLE_BYTES = 1024 * 1024

/**
 * Resolves what is changed. Texts to replace come before URLs where both begin at one place and
 * are equally long, and in playlists altogether.
 *
 * @throws {RangeError} where there are too many, or they are too long
 */
export function textChanges (options: TextOptions): TextChanges {
  const steps = stepsOf(options)
  return {
    hash: hashOf(options),
    apply: ({ kind, body, decoders }) => {
      const { growth, start } = steps[kind]
      const isSmall = Buffer.isBuffer(body) && (body.length === 0 || (decoders.length === 0 && body.length * growth <= WHOLE_BYTES))
      if (isSmall) return changed(body, start())
      const source = Buffer.isBuffer(body) ? Readable.from([body], { objectMode: false }) : body
      return chain(source, [...decoders.map(make => make()), ...start().map(pieces => new PiecesStream(pieces))])
    }
  }
}

/** How one kind of text is changed. */
interface Steps {
  readonly start: () => Pieces[]
  readonly growth: number
}

function stepsOf (options: TextOptions): Record<TextKind, Steps> {
  const { urls, replace } = options
  const references = urls ? urlRules(options) : []
  const plain = replacementsOf([...replace, ...references])
  const markup = urls ? replacementsOf([...replace, ...references, ...pathRules(options)]) : plain
  return {
    plain: stepOf(plain),
    markup: stepOf(markup),
    playlist: urls ? playlistSteps(replace, options) : stepOf(plain)
  }
}

function stepOf ({ start, growth }: Replacements): Steps {
  return { start: () => [start()], growth }
}

function playlistSteps (replace: readonly Rule[], places: Places): Steps {
  const map = referenceMapper(places)
  const lines = (): Pieces => new PlaylistLines(map)
  // A reference may be as short as a slash: a line of it grows by the URL of the mount.
  const growth = 1 + (places.publicBase ?? '').length + places.mountPrefix.length
  if (replace.length === 0) return { start: () => [lines()], growth }
  const texts = replacementsOf(replace)
  return { start: () => [texts.start(), lines()], growth: growth * texts.growth }
}

function hashOf ({ origins, mountPrefix, publicBase, urls, replace }: TextOptions): string {
  const told = [VERSION, urls, replace.map(({ from, to }) => [from, to]), ...urls ? [origins.map(({ href }) => href).toSorted(), mountPrefix, publicBase] : []]
  return createHash('sha256').update(JSON.stringify(told)).digest('base64url').slice(0, 11)
}

function changed (body: Buffer, steps: readonly Pieces[]): Buffer {
  return steps.reduce((bytes, pieces) => Buffer.concat([...pieces.push(bytes), ...pieces.end()]), body)
}

/** One end of the chain that fails, or is left, ends all of it. */
function chain (source: Readable, steps: readonly Transform[]): Readable {
  pipeline([source, ...steps], () => {}) // the last of them tells its reader
  return steps.at(-1) as Transform
}
