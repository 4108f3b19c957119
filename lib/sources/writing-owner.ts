import { createHash } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'

/** Which process holds something, as part of a name: the machine and its processes as that one sees them, its id, and when it began. */
export interface Owner {
  /** 12 hexadecimal digits. Two containers of one machine are two hosts: they do not know each other's ids. */
  readonly host: string
  readonly pid: number
  /** Clock ticks from the start of the machine to that of the process; 0 where that is not told. */
  readonly start: number
}

/** This process. */
export async function ownProcess (): Promise<Owner> {
  const [boot, namespace] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname()),
    readlink('/proc/self/ns/pid').catch(() => '')
  ])
  const host = createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 12)
  return { host, pid: process.pid, start: await startOf(process.pid) ?? 0 }
}

/** Whether a process of our own host is there still. A later one that was given its id is another. */
export async function isRunning ({ pid, start }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Of another user's we hear that it may not be asked: so it is there.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const current = await startOf(pid)
  return current === undefined || start === 0 || current === start
}

/** Field 22 of proc_pid_stat(5); undefined where it is not told. The name before it may hold anything, parentheses too. */
async function startOf (pid: number): Promise<number | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19])
  /* c8 ignore next 3 -- where there is no /proc, or the process ends just now: no test can make either */
  } catch {
    return undefined
  }
}

export function ownerName ({ host, pid, start }: Owner): string {
  return `${host}.${pid}.${start}`
}

/** Undefined for what is no such name. */
export function ownerNamed (name: string): Owner | undefined {
  const match = /^([0-9a-f]{12})\.(\d{1,10})\.(\d{1,16})$/.exec(name)
  return match === null ? undefined : { host: match[1] as string, pid: Number(match[2]), start: Number(match[3]) }
}
