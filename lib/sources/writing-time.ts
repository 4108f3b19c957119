import type { BigIntStats } from 'node:fs'

/** Milliseconds by which a time of change may lie ahead: what lies further was set by somebody, and is no time of ours. */
const AHEAD_MS = 10_000

/**
 * When a file has to have been changed last, in seconds since the epoch, so that its tag is none that what it
 * replaces has, or had before: times of change differ by the grain of the kernel's clock, some milliseconds, or not
 * at all. Undefined where it is later already.
 */
export function timeAfter (stats: BigIntStats, current: BigIntStats | undefined): number | undefined {
  if (current === undefined || current.mtimeNs < stats.mtimeNs || current.mtimeMs > Date.now() + AHEAD_MS) return undefined
  // Two, since of one millisecond the way through a floating point number may take a part.
  return (Number(current.mtimeMs) + 2) / 1000
}
