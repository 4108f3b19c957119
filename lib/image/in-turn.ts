import { MediaError } from '../errors.ts'
import type { HeaderFacts } from './headers/facts.ts'
import { memoryNeed } from './memory-need.ts'

/** Who decides when a job is done: `WorkQueue` is one. */
export interface Queue {
  run<T> (task: (signal: AbortSignal) => Promise<T>, options: Turn): Promise<T>
}

export type Priority = 'request' | 'background'

/** For whom a job is done, and what it takes. */
export interface Turn {
  readonly lane: string
  /** Of the queue's budget. */
  readonly pixels: number
  readonly priority: Priority
  readonly signal: AbortSignal
}

/** Estimated bytes that count as one pixel of the queue's budget: what a plain decode takes. */
const BYTES_PER_PIXEL = 4
/** What a pixel that is made takes beside one that is decoded: measured 8 bytes. */
export const OUTPUT_SHARE = 2
/** The budget that an original takes whose header does not tell its size. */
const UNKNOWN_PIXELS = 50_000_000

/** What decoding an original takes of the queue's budget. */
export function decodingBudget (facts: HeaderFacts): number {
  const bytes = memoryNeed(facts)
  return bytes === undefined ? UNKNOWN_PIXELS : bytes / BYTES_PER_PIXEL
}

/**
 * Has a job done when its turn comes. Where its worker had to give way, since all together took too
 * much memory, it is done once more, alone.
 *
 * @param task given the signal of its turn
 * @throws {MediaError} `busy`; what the task throws
 */
export async function inTurn<T> (queue: Queue, task: (signal: AbortSignal) => Promise<T>, turn: Turn): Promise<T> {
  const run = async (pixels: number): Promise<T> => await queue.run(async signal => await task(signal).catch(crowdedOut), { ...turn, pixels })
  return await run(turn.pixels).catch(async (error: unknown) => {
    if (!(error instanceof CrowdedOut)) throw error
    // If that is too much still, whoever asks may come again.
    return await run(Number.MAX_SAFE_INTEGER).catch((again: unknown) => { throw again instanceof CrowdedOut ? again.cause : again })
  })
}

/** A worker gave way, since all together took too much memory: the header had told too little. */
class CrowdedOut extends Error {
  override readonly name = 'CrowdedOut'
}

function crowdedOut (error: unknown): never {
  throw error instanceof MediaError && error.code === 'busy' ? new CrowdedOut('The workers took too much memory together', { cause: error }) : error
}
