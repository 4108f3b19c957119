import type { ImageJob } from '../../../../../lib/image/job.ts'

/** A job for `hostile.ts`. */
export function pretend (deed: string, more: Record<string, string | number> = {}): ImageJob {
  const limits = { inputPixels: 1e6, outputPixels: 1e6, framePixels: 1e6, dimension: 1e4, inputs: [] }
  return { kind: 'variant', transform: { do: deed, ...more } as object, format: 'jpeg', limits }
}
