/**
 * A time as ISO 8601 has it; undefined for none. File systems hold times beyond the years that Date knows
 * (ECMA-262 §21.4.1.1), and whoever may touch a file may set one: these are none.
 *
 * @param milliseconds since the epoch
 */
export function isoDate (milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined || !(Math.abs(milliseconds) <= 8.64e15) ? undefined : new Date(milliseconds).toISOString()
}
