import { access, constants, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError, type Mistake } from './mistakes.ts'

type Reader = (file: string) => Promise<unknown>

const readers: Record<string, Reader> = { '.yaml': readYaml, '.yml': readYaml, '.json': readJson, '.js': readModule, '.mjs': readModule }

/**
 * What a configuration file holds, unchecked.
 *
 * @throws {ConfigError} where it cannot be read, with the lines that are malformed
 */
export async function readConfig (file: string): Promise<unknown> {
  const reader = readers[extname(file).toLowerCase()]
  if (reader === undefined) throw unreadable(file, `Expected a name that ends in ${Object.keys(readers).join(', ')}`)
  try {
    await access(file, constants.R_OK)
    return await reader(file)
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(file, `It cannot be read: ${(error as Error).message}`)
  }
}

function unreadable (file: string, ...messages: string[]): ConfigError {
  return new ConfigError(messages.map((message): Mistake => ({ path: '', message })), file)
}

async function readText (file: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  return text.replace(/^\uFEFF/, '') // a byte order mark, as some editors write it
}

/** An empty file is an empty configuration. Warnings, such as of a tag that nobody knows, are mistakes too. */
async function readYaml (file: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import('yaml') // its 30 ms only for those who use it
  const lineCounter = new LineCounter()
  const document = parseDocument(await readText(file), { lineCounter, prettyErrors: false, stringKeys: true })
  const faults = new Map<number, string>() // one for each line: the others of a line mostly follow from the first
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    const { line, col } = lineCounter.linePos(pos[0])
    if (!faults.has(line)) faults.set(line, `Line ${line}, column ${col}: ${message}`)
  }
  if (faults.size > 0) throw unreadable(file, ...faults.values())
  return document.toJS() ?? {} // no more than 100 aliases, against those that multiply
}

async function readJson (file: string): Promise<unknown> {
  const text = await readText(file)
  try {
    return JSON.parse(text)
  } catch (error) {
    const { message } = error as SyntaxError
    const position = /position (\d+)/.exec(message)?.[1]
    if (position === undefined) throw error
    const before = text.slice(0, Number(position)).split('\n')
    throw unreadable(file, `Line ${before.length}, column ${(before.at(-1) as string).length + 1}: ${message}`)
  }
}

async function readModule (file: string): Promise<unknown> {
  const { href } = pathToFileURL(file)
  try {
    const module = await import(href) as { default?: unknown }
    const value = await module.default
    if (value === undefined) throw new TypeError('Expected a default export')
    return value
  } catch (error) {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error))
    const line = stack.split(`${href}:`)[1]?.match(/^\d+/)?.[0] ?? stack.split(`${file}:`)[1]?.match(/^\d+/)?.[0]
    throw unreadable(file, line === undefined ? `It cannot be run: ${message}` : `Line ${line}: ${message}`)
  }
}
