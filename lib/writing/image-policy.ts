import { open, realpath } from 'node:fs/promises'
import type { WritingConfig } from '../config/writing-schema.ts'
import { MediaError } from '../errors.ts'
import { inputFormats } from '../image/format.ts'
import { decodingBudget, inTurn, OUTPUT_SHARE, type Queue } from '../image/in-turn.ts'
import type { ImageResult, JobInput, KeepJob } from '../image/job.ts'
import { HEAD_BYTES, memoryNeed, pixelsOf, sniff, type HeaderFacts } from '../image/sniff.ts'
import { revisionOf, type StoredFile } from '../sources/stored-file.ts'

/** A picture that came, on a disk of this machine, and the rules of its mount. */
export interface ComingPicture {
  readonly path: string
  /** As it was recognised. */
  readonly type: string
  readonly rules: WritingConfig['images']
  /** Whoever sends it has left. */
  readonly signal?: AbortSignal | undefined
}

/** By what it is looked at: the workers and the queue that make variants too. */
export interface PictureWorkers {
  readonly workers: { run (job: KeepJob, inputs: readonly JobInput[], options: { signal: AbortSignal, maxInputBytes: number, needBytes?: number | undefined }): Promise<ImageResult> }
  readonly queue: Queue
  /** Memory of one worker: what is known to need more is not tried. */
  readonly workerBytes: number
}

/** Uploads take turns with the mounts whose variants are made. */
const LANE = 'uploads'

/** Pixels of a side of what is kept: more than any format has. */
const ANY_SIDE = 1_000_000

/** Whether pictures are looked at before they are kept. */
export function looksAt (type: string, { check, reencode, metadata, maxSide }: WritingConfig['images']): boolean {
  return type.startsWith('image/') && (check || reencode || metadata !== 'all' || maxSide !== undefined)
}

/**
 * What is kept in place of a picture: nothing where it is kept as it came. It is decoded in a worker
 * process that is bounded in time and memory, never in this one. `kept` of lib/image/keeping tells
 * what is done to which format.
 *
 * @throws {MediaError} `broken-image`, `image-too-large`, `image-too-costly`, `unsupported-image`; `busy`, `unavailable`
 * @throws the signal's reason
 */
export async function applyImagePolicy ({ path, type, rules, signal = new AbortController().signal }: ComingPicture, { workers, queue, workerBytes }: PictureWorkers): Promise<Buffer | undefined> {
  if (!looksAt(type, rules)) return undefined
  const { file, facts } = await looked(path)
  const needBytes = refuseCostly(facts, rules, workerBytes)
  const job: KeepJob = {
    kind: 'keep',
    check: rules.check,
    reencode: rules.reencode,
    metadata: rules.metadata,
    ...(rules.maxSide === undefined ? {} : { maxSide: rules.maxSide }),
    limits: { inputPixels: rules.maxPixels, outputPixels: rules.maxPixels, framePixels: rules.maxPixels, dimension: ANY_SIDE, inputs: inputFormats }
  }
  const { bytes } = await inTurn(
    queue,
    async running => await workers.run(job, [file], { signal: running, maxInputBytes: file.size, needBytes }),
    { lane: LANE, pixels: budgetOf(facts, rules), priority: 'request', signal }
  )
  return bytes.length === 0 ? undefined : bytes
}

/** What it takes of the queue's budget. What is not decoded takes nothing. */
function budgetOf (facts: HeaderFacts | undefined, { reencode, maxSide }: WritingConfig['images']): number {
  if (facts === undefined) return 0
  const isRemade = reencode || maxSide !== undefined
  return Math.ceil(decodingBudget(facts) + (isRemade ? (pixelsOf(facts) ?? 0) * OUTPUT_SHARE : 0))
}

/** The file as a worker opens it, and what its first bytes tell. */
async function looked (path: string): Promise<{ file: StoredFile, facts: HeaderFacts | undefined }> {
  const handle = await open(path)
  try {
    const stats = await handle.stat({ bigint: true })
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const facts = sniff(buffer.subarray(0, bytesRead))
    return {
      file: { path: await realpath(path), revision: revisionOf(stats), size: Number(stats.size), changed: Number(stats.mtimeMs) },
      facts: facts?.format === undefined ? undefined : facts
    }
  } finally {
    await handle.close()
  }
}

/**
 * Refuses by the header alone, before a worker is asked.
 *
 * @returns bytes that decoding takes, where that can be told
 * @throws {MediaError} `image-too-large`, `image-too-costly`
 */
function refuseCostly (facts: HeaderFacts | undefined, { maxPixels }: WritingConfig['images'], workerBytes: number): number | undefined {
  // A drawing has the pixels that are asked of it.
  if (facts === undefined || facts.format === 'svg') return undefined
  const pixels = pixelsOf(facts) ?? 0
  if (pixels > maxPixels) throw new MediaError('image-too-large', { detail: `The image has ${pixels} pixels, more than are kept here: ${maxPixels} (writing.images.maxPixels)` })
  const needBytes = memoryNeed(facts)
  if ((needBytes ?? 0) > workerBytes) throw new MediaError('image-too-costly', { detail: `The image takes more memory than a worker may have: ${workerBytes} bytes` })
  return needBytes
}
