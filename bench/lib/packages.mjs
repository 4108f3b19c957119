import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where servers are installed that a plain user's PATH leaves out. */
const EXTRA_PATHS = ['/usr/sbin', '/usr/local/sbin']

/**
 * Ends the process with a sentence where a program is missing.
 *
 * @param {Record<string, string>} programs the Debian package of each program
 * @returns {Record<string, string>} the path of each
 */
export function requirePrograms (programs) {
  const paths = Object.fromEntries(Object.keys(programs).map(name => [name, find(name)]))
  const missing = Object.keys(programs).filter(name => paths[name] === undefined)
  if (missing.length > 0) {
    console.error(`Expected ${missing.join(', ')} to be installed: apt-get install -y --no-install-recommends ${missing.map(name => programs[name]).join(' ')}`)
    process.exit(2)
  }
  return paths
}

function find (name) {
  return [...(process.env.PATH ?? '').split(delimiter), ...EXTRA_PATHS]
    .map(directory => join(directory, name))
    .find(isExecutable)
}

function isExecutable (path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
