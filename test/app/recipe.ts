import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MediaOptions } from '../../app.ts'
import { packageRoot } from '../../lib/package-root.ts'
import { certificate, noOpenssl } from '../helpers/certificates.ts'

/* The recipes of docs/upstreams.md, as they stand there. */

const page = await readFile(join(packageRoot, 'docs', 'upstreams.md'), 'utf8')
const sections = new Map(page.split('\n### ').slice(1).map(text => [text.slice(0, text.indexOf('\n')), text] as const))

/** The headings of all recipes. */
export const headings: readonly string[] = [...sections.keys()]

/** Those that were asked for so far. */
export const used = new Set<string>()

/** Each block of JSON of the page, a recipe's or not. */
export const blocks: readonly string[] = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, text = '']) => text)

/** The block of code of a recipe in a language. */
export function blockOf (heading: string, language: 'json' | 'js'): string {
  const found = [...sections.get(heading)?.matchAll(/```(\w+)\n([^]*?)```/g) ?? []].filter(([, kind]) => kind === language)
  if (found.length !== 1) throw new RangeError(`Expected one block of ${language} in the recipe ${heading} but found ${found.length}`)
  used.add(heading)
  return found[0]?.[2] as string
}

/**
 * The configuration of a recipe, with what is here in place of what it names.
 *
 * @param places each text that is to stand in place of another: an origin, a directory, a file
 * @throws {RangeError} where one of them is not named, or an origin is left that is not here
 */
export function recipe (heading: string, places: Record<string, string>): MediaOptions {
  let text = blockOf(heading, 'json')
  for (const [name, place] of Object.entries(places)) {
    if (!text.includes(`"${name}"`)) throw new RangeError(`Expected the recipe ${heading} to name ${name}`)
    text = text.replaceAll(`"${name}"`, JSON.stringify(place))
  }
  const config = JSON.parse(text) as MediaOptions
  for (const { origins } of Object.values(config.upstreams ?? {})) {
    for (const { url } of origins) if (!/^https?:\/\/127\.0\.0\.1:/.test(url)) throw new RangeError(`Expected something here in place of ${url}`)
  }
  return config
}

/** A directory in which every recipe finds the files that it names by relative paths. */
export async function furnish (directory: string): Promise<string> {
  await mkdir(join(directory, 'site'), { recursive: true })
  if (noOpenssl === undefined) {
    const [ca, client] = [certificate('ca'), certificate('client')]
    for (const [name, file] of [['authority.pem', ca.certFile], ['client.pem', client.certFile], ['client.key', client.keyFile]] as const) await copyFile(file, join(directory, name))
  }
  await writeFile(join(directory, 'releases.json'), '{}')
  return directory
}
