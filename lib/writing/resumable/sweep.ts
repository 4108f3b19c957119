import { readdir, stat, unlink } from 'node:fs/promises'
import type { UploadLocks } from './locks.ts'
import { UPLOAD_NAME, type UploadRecord } from './records.ts'
import type { Staging } from './staging.ts'
import type { Unfinished } from './unfinished.ts'

/** What a sweep looks after. */
export interface Swept {
  readonly directory: string
  readonly expiryMs: number
  readonly staging: Staging
  readonly locks: UploadLocks
  readonly unfinished: Unfinished
}

/** The random name of a record that is not written yet. */
const ASIDE_NAME = /^[0-9a-f]{32}$/

/** Removes uploads that are older than they may be, and counts the others. @returns how many it removed @throws as the file system does */
export async function sweepUploads (swept: Swept): Promise<number> {
  const { directory, unfinished } = swept
  const known = unfinished.ids()
  const there = new Set<string>()
  const pieces = new Set<string>()
  for (const name of await readdir(directory)) {
    const id = name.replace(/\.json$/, '')
    if (UPLOAD_NAME.test(id)) there.add(id)
    else if (ASIDE_NAME.test(name)) pieces.add(name)
  }
  let removed = 0
  for (const id of there) removed += await sweepOne(id, swept)
  for (const name of pieces) removed += await sweepPiece(`${directory}/${name}`, swept.expiryMs)
  for (const id of known) if (!there.has(id)) unfinished.forget(id)
  return removed
}

async function sweepOne (id: string, { staging, locks, unfinished, expiryMs }: Swept): Promise<number> {
  const record = await staging.records.read(id)
  if (record === undefined) return await sweepPiece(staging.pathOf(id), expiryMs) + await sweepPiece(`${staging.pathOf(id)}.json`, expiryMs)
  if (!isExpired(record, expiryMs)) {
    if (record.finished !== undefined) unfinished.forget(id)
    else if (!unfinished.has(id)) unfinished.count(id, record.size ?? 0)
    return 0
  }
  try {
    await locks.take(id, () => undefined)
  } catch {
    return 0 // it is being written, or kept: the next sweep comes
  }
  try {
    const now = await staging.records.read(id) // it may have become a file meanwhile
    if (now !== undefined && !isExpired(now, expiryMs)) return 0
    await staging.discard(id)
    return 1
  } finally {
    await locks.give(id)
  }
}

function isExpired ({ created, finished }: UploadRecord, expiryMs: number): boolean {
  return Date.now() > (finished?.at ?? created) + expiryMs
}

async function sweepPiece (path: string, expiryMs: number): Promise<number> {
  try {
    if ((await stat(path)).mtimeMs + expiryMs >= Date.now()) return 0
    await unlink(path)
    return 1
  } catch {
    return 0 // it was none, or somebody else was faster
  }
}
