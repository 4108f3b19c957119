import { MediaError } from '../../errors.ts'
import type { HeaderFacts } from '../headers/facts.ts'
import { text, u32 } from '../headers/bytes.ts'
import type { OpenInput } from '../job.ts'
import { HEAD_BYTES } from '../sniff.ts'
import { bare } from './bare.ts'

/** A box's header, with the length in its long form (ISO/IEC 14496-12 §4.2). */
const BOX_BYTES = 16

/**
 * Refuses what ends too early where decoders make do with what is there: frames that are missing, and
 * pictures in boxes.
 *
 * @throws {MediaError} `broken-image`
 */
export async function refuseCut ({ format, frames }: HeaderFacts, input: OpenInput): Promise<void> {
  const isCut = format === 'avif' || format === 'heic'
    ? boxesEnd(await input.head(HEAD_BYTES), input.size) > input.size
    : (format === 'gif' || (format === 'png' && frames !== 1)) && bare(await input.bytes(), format, 1) === undefined
  if (isCut) throw new MediaError('broken-image', { detail: 'The image ends too early' })
}

/** Where the boxes end that begin in the first bytes; the last of all may say that it goes on to the end. */
function boxesEnd (head: Buffer, size: number): number {
  let at = 0
  while (at + BOX_BYTES <= head.length) {
    const length = u32(head, at) === 1 ? u32(head, at + 8) * 2 ** 32 + u32(head, at + 12) : u32(head, at) || size - at
    // What is no box follows behind some pictures.
    if (length < 8 || !/^[\w ]{4}$/.test(text(head, at + 4, 4))) break
    at += length
  }
  return at
}
