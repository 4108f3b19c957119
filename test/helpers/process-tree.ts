import { readdirSync, readFileSync } from 'node:fs'
import { pageBytes } from '../../lib/image/workers/process-memory.ts'

/** Milliseconds of a clock tick, in which /proc tells CPU time: 100 a second on every Linux there is. */
const TICK_MS = 10

interface ProcessStat {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
  /** Of those that it started and that have ended. */
  readonly endedTicks: number
}

/** proc_pid_stat(5); undefined where the process is gone. */
function statOf (pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), endedTicks: Number(fields[13]) + Number(fields[14]) }
  } catch {
    return undefined
  }
}

function allProcesses (): ProcessStat[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => statOf(Number(name)) ?? [])
}

/** A process and all that it started, and they started. */
export function treeOf (pid: number): number[] {
  const all = allProcesses()
  const tree = new Set([pid])
  for (let size = 0; size !== tree.size;) {
    size = tree.size
    for (const stat of all) if (tree.has(stat.parent)) tree.add(stat.pid)
  }
  return [...tree]
}

/** The processes that one started itself: a server's workers, without what loads their program in TypeScript. */
export function childrenOf (pid: number): number[] {
  return allProcesses().filter(({ parent }) => parent === pid).map(stat => stat.pid)
}

/** Milliseconds of CPU that processes have used, by process. Those that are gone are left out. */
export function cpuMsOf (pids: readonly number[]): Map<number, number> {
  return new Map(pids.flatMap(pid => {
    const stat = statOf(pid)
    return stat === undefined ? [] : [[pid, stat.ticks * TICK_MS] as const]
  }))
}

/** Milliseconds of CPU that a process, all below it, and all that ended there have used. */
export function treeCpuMs (pid: number): number {
  return treeOf(pid).reduce((sum, each) => {
    const stat = statOf(each)
    return stat === undefined ? sum : sum + (stat.ticks + stat.endedTicks) * TICK_MS
  }, 0)
}

/** Milliseconds of CPU that all of the machine has used, and could have used. proc_stat(5) */
export function machineCpuMs (): { used: number, all: number } {
  const [, ...fields] = (readFileSync('/proc/stat', 'latin1').split('\n')[0] ?? '').split(/\s+/)
  const ticks = fields.slice(0, 8).map(Number) // guests are counted among the users
  const all = ticks.reduce((sum, value) => sum + value, 0)
  return { used: (all - (ticks[3] ?? 0) - (ticks[4] ?? 0)) * TICK_MS, all: all * TICK_MS }
}

const PAGE_BYTES = pageBytes() ?? 4096

/**
 * Bytes of memory that processes take together: the resident pages that are each one's own,
 * and of those that lie in files (programs and libraries, which they share) the largest part
 * of any one. Measured 30 to 40 MB above the sum of PSS, which shares pages with this test's
 * own process too, takes 300 times as long to read (5.7 ms at 300 MB), and holds up the
 * process it is read of. proc_pid_statm(5)
 */
export function memoryOf (pids: readonly number[]): number {
  let own = 0
  let shared = 0
  for (const pid of pids) {
    try {
      const [, resident = 0, inFiles = 0] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number)
      own += resident - inFiles
      shared = Math.max(shared, inFiles)
    } catch {
      // Gone since it was listed.
    }
  }
  return (own + shared) * PAGE_BYTES
}
