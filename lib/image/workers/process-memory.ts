import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** `/proc/PID/statm` is seven numbers in one line. */
const STATM_BYTES = 256
const scratch = Buffer.alloc(STATM_BYTES)

function residentPages (statm: string): number {
  return Number(statm.split(' ')[1])
}

/** Bytes of a page, found by comparing two accounts of this process' own memory; undefined where there is no /proc. */
export function pageBytes (): number | undefined {
  try {
    const pages = residentPages(readFileSync('/proc/self/statm', 'latin1'))
    // The two are read one after the other: the nearest power of two is what both mean.
    return 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages))
  /* c8 ignore next 3 -- only where there is no /proc: not on Linux, where the tests run */
  } catch {
    return undefined
  }
}

/**
 * The resident memory of another process, through a descriptor that is kept: about 2 µs a look,
 * and it can never be that of a later process with the same id. proc_pid_statm(5)
 */
export class ProcessMemory {
  readonly #pageBytes: number
  #fd: number | undefined

  /** @param pageSize as {@link pageBytes} gives it: without it nothing is read */
  constructor (pid: number, pageSize: number | undefined) {
    this.#pageBytes = pageSize ?? 0
    if (pageSize === undefined) return
    try {
      this.#fd = openSync(`/proc/${pid}/statm`, 'r')
    } catch {
      // The process is gone already, or may not be looked at.
    }
  }

  /** Bytes; 0 where it is gone or cannot be told. Pages shared with other processes are counted in full. */
  read (): number {
    if (this.#fd === undefined) return 0
    try {
      const length = readSync(this.#fd, scratch, 0, STATM_BYTES, 0)
      return residentPages(scratch.toString('latin1', 0, length)) * this.#pageBytes || 0
    } catch {
      return 0 // ended, and not yet waited for
    }
  }

  close (): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
