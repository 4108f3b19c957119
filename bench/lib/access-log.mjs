import { statSync } from 'node:fs'

/** No access log has shorter lines. */
const SHORTEST_LINE_BYTES = 60

/**
 * A server whose access log is not there was measured without its work.
 *
 * @param {{ name: string, logFile: string }} server
 * @throws {Error} where the log is too short to have a line for each request
 */
export function checkAccessLog ({ name, logFile }, requests) {
  const { size } = statSync(logFile, { throwIfNoEntry: false }) ?? { size: 0 }
  if (size < requests * SHORTEST_LINE_BYTES) throw new Error(`${name}: Expected a log of ${Math.round(requests)} lines but received ${size} bytes`)
}
