import { readFile } from 'node:fs/promises'

/** A file with one key. Editors end it with a line break. */
export async function textOf (file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trimEnd()
}
