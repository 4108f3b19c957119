import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** What /proc tells about a process and all its descendants, as proc(5) describes it. Linux only. */

const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** The process and its descendants. */
export function processTree (pid) {
  const children = new Map()
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? statOf(entry)?.ppid : undefined
    if (parent !== undefined) children.set(parent, [...children.get(parent) ?? [], Number(entry)])
  }
  const tree = [pid]
  for (const member of tree) tree.push(...children.get(member) ?? [])
  return tree
}

/**
 * CPU time spent so far, user and system together, in microseconds. `stat` counts whole ticks,
 * too coarse for a short run, so the threads' own nanoseconds stand in where they tell more;
 * they forget threads that have ended, which `stat` does not. A descendant that has ended counts
 * by what its parent inherited.
 */
export function cpuMicroseconds (pid) {
  return processTree(pid).reduce((sum, member) => {
    const { own = 0, inherited = 0 } = statOf(member) ?? {}
    return sum + Math.max(own * TICK_US, threadMicroseconds(member)) + inherited * TICK_US
  }, 0)
}

/** Bytes that a process has read so far by read(2), from sockets too. */
export function bytesRead (pid) {
  return Number(/^rchar: (\d+)$/m.exec(read(`/proc/${pid}/io`))?.[1])
}

/** Bytes that a process and its descendants have written so far, by write(2) as by sendfile(2), to sockets too. */
export function bytesWritten (pid) {
  return processTree(pid).reduce((sum, member) => sum + Number(/^wchar: (\d+)$/m.exec(read(`/proc/${member}/io`))?.[1] ?? 0), 0)
}

/** Memory in use now, in bytes. Pages that processes share count once for each. */
export function residentBytes (pid) {
  return sumOfStatus(pid, 'VmRSS')
}

/** The most memory in use since the start or {@link resetPeak}, in bytes. */
export function peakResidentBytes (pid) {
  return sumOfStatus(pid, 'VmHWM')
}

export function resetPeak (pid) {
  for (const member of processTree(pid)) writeFileSync(`/proc/${member}/clear_refs`, '5')
}

function sumOfStatus (pid, field) {
  const pattern = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm')
  return processTree(pid).reduce((sum, member) => sum + Number(pattern.exec(read(`/proc/${member}/status`))?.[1] ?? 0) * 1024, 0)
}

/** The fields after the command's closing parenthesis: state, ppid, … utime, stime, cutime, cstime. */
function statOf (pid) {
  const text = read(`/proc/${pid}/stat`)
  if (text === '') return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number)
  return { ppid: fields[1], own: fields[11] + fields[12], inherited: fields[13] + fields[14] }
}

/** Of the threads there are now. 0 where the kernel keeps no schedstat. */
function threadMicroseconds (pid) {
  return threadsOf(pid).reduce((sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1000, 0)
}

function threadsOf (pid) {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** A process may end between the listing and the look. */
function read (path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
