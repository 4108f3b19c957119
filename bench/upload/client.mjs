import { Connection } from './connection.mjs'
import { contentOf, digestOf } from './content.mjs'
import { ways } from './ways.mjs'

/**
 * `node client.mjs LOAD`, as {@link import('./load.mjs').runUploads} describes it: so many files over so
 * many keep-alive connections, each beginning the next as soon as one is kept. A process of its own, so
 * that what it costs is not the server's.
 */

const { url, base, way, size, count, connections, names, digest, headers, bytesPerSecond } = JSON.parse(process.argv[2])
const bytes = contentOf(size)
const fields = { ...headers, ...(digest ? { 'content-digest': digestOf(bytes) } : {}) }

let begun = 0
const started = performance.now()
await Promise.all(Array.from({ length: connections }, sendInTurn))
process.stdout.write(`RESULT ${JSON.stringify({ uploads: begun, seconds: (performance.now() - started) / 1000 })}\n`)

async function sendInTurn () {
  const connection = new Connection(url)
  while (begun < count) await ways[way](connection, { base, name: `${names}-${begun++}.bin`, bytes, headers: fields, bytesPerSecond })
  connection.close()
}
