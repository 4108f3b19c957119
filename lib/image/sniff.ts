import { has, text } from './headers/bytes.ts'
import type { HeaderFacts, OtherFormat } from './headers/facts.ts'
import { isGif, sniffGif } from './headers/gif.ts'
import { sniffHeif } from './headers/heif.ts'
import { sniffJpeg } from './headers/jpeg.ts'
import { sniffOther } from './headers/others.ts'
import { PNG_SIGNATURE, sniffPng } from './headers/png.ts'
import { sniffSvg } from './headers/svg.ts'
import { isTiff, sniffTiff } from './headers/tiff.ts'
import { isWebp, sniffWebp } from './headers/webp.ts'

export type { HeaderFacts, OtherFormat } from './headers/facts.ts'
export { memoryNeed, pixelsOf } from './memory-need.ts'

/** Bytes of a file that tell what it is, and of nearly all files how large it is. */
export const HEAD_BYTES = 64 * 1024

/** Bytes that {@link sniff} looks at at most: a JPEG whose size lies behind large metadata tells it when given more. */
export const MAX_HEAD_BYTES = 1024 * 1024

/**
 * Tells what a picture is by its first bytes, without decoding and never by its name. Any
 * bytes may come: what they do not tell is left out.
 *
 * @param head the file's beginning; no more than {@link MAX_HEAD_BYTES} of it are looked at
 * @returns facts of an accepted format, the name of another, or undefined for what is unknown
 */
export function sniff (head: Uint8Array): HeaderFacts | OtherFormat | undefined {
  const bytes = head.subarray(0, MAX_HEAD_BYTES)
  if (has(bytes, 0, '\xff\xd8\xff')) return sniffJpeg(bytes)
  if (has(bytes, 0, PNG_SIGNATURE)) return sniffPng(bytes)
  if (isGif(bytes)) return sniffGif(bytes)
  if (isWebp(bytes)) return sniffWebp(bytes)
  if (text(bytes, 4, 4) === 'ftyp') return sniffHeif(bytes)
  if (isTiff(bytes)) return sniffTiff(bytes)
  return sniffSvg(bytes) ?? sniffOther(bytes)
}
