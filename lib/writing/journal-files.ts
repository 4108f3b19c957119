import { constants } from 'node:fs'
import { link, open, readdir, stat, unlink, type FileHandle } from 'node:fs/promises'
import { openAside } from '../cache/disk-write.ts'

/* The files of a journal: `journal.1`, and so on. Only the newest one counts. */

/** Bytes that are written at once of what a journal begins with. */
const CHUNK_BYTES = 256 * 1024

const FILE = /^journal\.(\d+)$/

/** The name of one that is not whole. */
const PIECE = /^[0-9a-f]{32}$/

/** Milliseconds after which whoever wrote a piece is taken to have ended. */
const PIECE_MS = 3_600_000

/** How often the newest one may be replaced while it is opened. */
const MAX_TRIES = 100

export interface JournalFile {
  readonly file: FileHandle
  readonly generation: number
}

/** Opens the newest one, which may be another by the time it is open; older ones are removed. @throws as the file system does */
export async function openNewest (directory: string): Promise<JournalFile> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const newest = await newestOf(directory)
    const generation = newest || 1
    const file = await open(pathOf(directory, generation), constants.O_RDWR | constants.O_APPEND | (newest === 0 ? constants.O_CREAT : 0), 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    const all = await generationsOf(directory)
    if (file !== undefined && generation === Math.max(...all)) {
      for (const old of all) if (old < generation) await unlink(pathOf(directory, old)).catch(() => undefined)
      return { file, generation }
    }
    await file?.close()
  }
  throw new Error(`The newest journal in ${directory} cannot be opened`)
}

/**
 * Sees to it that another journal follows one that is sealed: whoever is first makes it, and all would make the same.
 *
 * @param entries what it begins with
 * @throws as the file system does
 */
export async function followJournal (directory: string, generation: number, entries: Iterable<readonly unknown[]>): Promise<void> {
  if (await newestOf(directory) > generation) return
  const { path, file } = await openAside(directory)
  try {
    let lines = ''
    for (const entry of entries) {
      lines += `${JSON.stringify(entry)}\n`
      if (lines.length < CHUNK_BYTES) continue
      await file.appendFile(lines)
      lines = ''
    }
    await file.appendFile(lines)
    await file.datasync()
    await link(path, pathOf(directory, generation + 1)).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
  } finally {
    await file.close()
    await unlink(path).catch(() => undefined)
  }
}

/** Removes what was left by processes that ended while they wrote a journal. @throws as the file system does */
export async function sweepPieces (directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter(each => PIECE.test(each))) {
    const path = `${directory}/${name}`
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs + PIECE_MS < Date.now()) await unlink(path).catch(() => undefined)
  }
}

async function newestOf (directory: string): Promise<number> {
  return Math.max(0, ...await generationsOf(directory))
}

async function generationsOf (directory: string): Promise<number[]> {
  return (await readdir(directory)).flatMap(name => FILE.exec(name)?.[1] ?? []).map(Number)
}

function pathOf (directory: string, generation: number): string {
  return `${directory}/journal.${generation}`
}
