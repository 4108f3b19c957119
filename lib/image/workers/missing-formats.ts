import type { InputFormat } from '../format.ts'
import { WorkerPool } from './worker-pool.ts'

/**
 * Which of some formats the installed engine cannot decode: asked of a worker, since the
 * server itself loads no engine.
 *
 * @throws {MediaError} `unavailable` where no worker starts
 */
export async function missingFormats (wanted: Iterable<InputFormat>, program?: URL): Promise<InputFormat[]> {
  const pool = new WorkerPool({ workers: 1, ...(program === undefined ? {} : { program }) })
  try {
    const { inputs } = await pool.engine()
    return [...wanted].filter(format => !inputs.includes(format))
  } finally {
    await pool.close()
  }
}
