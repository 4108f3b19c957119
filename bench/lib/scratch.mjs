import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let root
let made = 0

/** A new directory of its own below the system's temporary one. It goes with the process, however that ends. */
export function scratchDirectory (name) {
  if (root === undefined) {
    root = mkdtempSync(join(tmpdir(), 'fastify-media-bench-'))
    process.on('exit', function removeScratch () { rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }) })
  }
  const directory = join(root, `${++made}-${name.replaceAll(/[^a-z0-9-]/gi, '')}`)
  mkdirSync(directory)
  return directory
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, function endEarly () { process.exit(130) })
}
