import { mkdirSync, readdirSync, readFileSync, renameSync, statfsSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

/** statfs(2): file systems that are memory, and cost nothing to flush. */
const MEMORY_TYPES = new Set([0x01_02_19_94, 0x85_84_58_f6])
/** What a run keeps at most at once, with room to spare, in bytes. */
const NEEDED_BYTES = 8 * 1024 ** 3

/** Ends the process with a sentence where files would not be kept on a disk with room enough. */
export function requireDisk (directory) {
  const { type, bavail, bsize } = statfsSync(directory)
  if (!MEMORY_TYPES.has(type) && bavail * bsize >= NEEDED_BYTES) return
  console.error(`Expected ${NEEDED_BYTES / 1024 ** 3} GB of disk below the temporary directory, no tmpfs: TMPDIR may name another`)
  process.exit(2)
}

/** Paths of all files that a server has kept. What a name with a dot hides is its own. */
export function storedIn (root) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !join(entry.parentPath, entry.name).slice(root.length).includes('/.'))
    .map(entry => join(entry.parentPath, entry.name))
}

/** @throws {Error} where other than so many files of so many bytes were kept */
export function checkStored ({ name, root }, { size, count }) {
  const whole = storedIn(root).filter(path => statSync(path).size === size).length
  if (whole !== count) throw new Error(`${name}: Expected ${count} files of ${size} bytes to be kept but found ${whole}`)
}

/** @throws {Error} where the one file there is has not these bytes */
export function checkBytes ({ name, root }, bytes) {
  const [path, ...others] = storedIn(root).filter(each => statSync(each).size === bytes.length)
  if (path === undefined || others.length > 0 || !bytes.equals(readFileSync(path))) throw new Error(`${name}: Expected one file as it was sent but found ${storedIn(root).length} in ${root}`)
}

let emptied = 0

/**
 * Makes room for the next sample: what has not reached the disk yet never has to. Files are emptied and put away, and not
 * removed: for minutes ext4 passes over inodes that were freed, one by one, whenever a file is made, and so the next
 * sample would pay for the last.
 */
export function forgetStored ({ root }) {
  const away = `${root}-emptied`
  mkdirSync(away, { recursive: true })
  for (const path of storedIn(root)) {
    truncateSync(path)
    renameSync(path, join(away, String(emptied++)))
  }
}
