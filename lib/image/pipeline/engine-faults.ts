import { MediaError } from '../../errors.ts'

/** What the engine says, and what of it is public: its own words may name paths. */
const reasons: ReadonlyArray<readonly [RegExp, string]> = [
  [/premature|truncat|unexpected end|end of (?:file|stream|input)|too (?:few|short)|not enough (?:data|image data)|insufficient/i, 'The image ends too early'],
  [/text|font|glyph|no text to render/i, 'The words cannot be drawn: no font of this machine has them'],
  [/corrupt header|bad header|magic|not a known|signature/i, 'The header of the image is damaged'],
  [/xml|svg|rsvg/i, 'The SVG cannot be drawn']
]

const TOO_LARGE = /pixel limit|channel limit|too large|too big|too wide|exceeds|dimension|overflow|out of (?:bounds|range)|maximum (?:image )?size|limit exceeded|width or height/i
const UNSUPPORTED = /unsupported image format|not been built in|unsupported codec|no decoding plugin|unsupported feature/i

/** An error of the engine in public words. What is no engine's error comes back as it is. */
export function engineFault (error: unknown): unknown {
  if (error instanceof MediaError || !(error instanceof Error)) return error
  const { message } = error
  const ended = reasons[0]?.[0].test(message) === true
  if (UNSUPPORTED.test(message)) return new MediaError('unsupported-image', { detail: 'The engine cannot decode this kind of image', cause: error })
  if (!ended && TOO_LARGE.test(message)) return new MediaError('image-too-large', { detail: 'The image, or what is asked of it, is larger than the engine or the format allows', cause: error })
  const reason = reasons.find(([pattern]) => pattern.test(message))
  return new MediaError('broken-image', { detail: reason?.[1] ?? 'The image data is damaged', cause: error })
}

/** Whether it is a JPEG that ends too early: the rest of it can be shown. */
export function isShortJpeg (error: unknown): boolean {
  return error instanceof MediaError && error.cause instanceof Error && /premature end of jpeg/i.test(error.cause.message)
}
