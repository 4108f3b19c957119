import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeOlder } from './disk-removal.ts'
import { EVERYTHING, tagName } from './purge-tags.ts'

/** Milliseconds that an outdated mark stays: longer than anyone takes to list the directory, so that no one sees neither the old nor the new. */
const OUTDATED_MS = 60_000

const markShape = /^([\w-]{22})\.([0-9a-z]{25})$/

/** The mark of everything in a directory that never held a variant: the same in every one, so that machines that share none agree on entity tags. */
export const FIRST_MARK = '0'.repeat(25)

/** Marks by the names of tags, each tag's in order. */
export type Marks = ReadonlyMap<string, readonly string[]>

/** The marks in a directory. @throws as the file system does */
export async function marksIn (directory: string): Promise<Marks> {
  const marks = new Map<string, string[]>()
  for (const entry of (await readdir(directory)).toSorted()) {
    const [, name, mark] = markShape.exec(entry) ?? []
    if (name === undefined || mark === undefined) continue
    const own = marks.get(name)
    if (own === undefined) marks.set(name, [mark])
    else own.push(mark)
  }
  return marks
}

/** A mark greater than all of `others`, whatever the clock says: 9 digits of base 36 of milliseconds, 16 of chance. */
export function newMark (others: readonly string[] = []): string {
  const latest = others.reduce((greatest, mark) => mark > greatest ? mark : greatest, '')
  const after = latest === '' ? 0 : Number.parseInt(latest.slice(0, 9), 36) + 1
  return `${Math.max(Date.now(), after).toString(36).padStart(9, '0')}${randomBytes(8).toString('hex')}`
}

/** Removes what a later mark has overtaken, once it is old. */
export async function removeOutdated (directory: string, marks: Marks): Promise<void> {
  const everything = tagName(EVERYTHING)
  const all = marks.get(everything)?.at(-1) ?? ''
  for (const [name, own] of marks) {
    const greatest = own.at(-1) ?? ''
    for (const mark of own) {
      if (mark === greatest && (greatest > all || name === everything)) continue
      await removeOlder(join(directory, `${name}.${mark}`), OUTDATED_MS)
    }
  }
}
