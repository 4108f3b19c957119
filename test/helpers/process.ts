import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** How many open descriptors of this process lead below a directory. */
export function openBelow (directory: string): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false // closed since it was listed: the listing's own
    }
  }).length
}

/** Waits until something is so, at most a few seconds; says whether it came to be. */
export async function eventually (isSo: () => boolean | Promise<boolean>, limitMs = 5000): Promise<boolean> {
  const end = Date.now() + limitMs
  while (Date.now() < end) {
    if (await isSo()) return true
    await wait(10)
  }
  return await isSo()
}
