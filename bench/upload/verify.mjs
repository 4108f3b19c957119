import { loadOf } from './cases.mjs'
import { Connection } from './connection.mjs'
import { contentOf, digestOf } from './content.mjs'
import { runUploads } from './load.mjs'
import { checkBytes, checkStored, forgetStored } from './stored.mjs'

/** One upload of a case, looked at closely. @throws {Error} where what is kept is not what was sent */
export async function verifyCase (one, server) {
  await runUploads({ ...loadOf(one, server), count: 1, connections: 1, names: 'one' })
  checkBytes(server, contentOf(one.size))
  forgetStored(server)
}

/**
 * What ours has to refuse, each on a connection of its own: else it would be measured without its work.
 *
 * @throws {Error} where it does not, or keeps anything
 */
export async function verifyRefusals (server) {
  const bytes = contentOf(64 * 1024)
  const digest = { 'content-digest': digestOf(bytes) }
  const page = Buffer.from('<!DOCTYPE html><html><script>alert(1)</script></html>')
  await refused(server, { what: 'no key', status: 401, headers: digest, bytes })
  await refused(server, { what: 'other bytes than the digest\'s', status: 400, headers: { ...server.headers, ...digest }, bytes: contentOf(64 * 1024 + 1).subarray(1) })
  await refused(server, { what: 'a page as .bin', status: 415, headers: server.headers, bytes: page })
  for (const size of [bytes.length, page.length]) checkStored(server, { size, count: 0 })
}

async function refused ({ url, base }, { what, status, headers, bytes }) {
  const connection = new Connection(url)
  const answer = await connection.ask({ method: 'PUT', path: `${base}/refused.bin`, headers, body: [bytes] })
  connection.close()
  if (answer.status !== status) throw new Error(`ours, ${what}: Expected status ${status} but received ${answer.status}: ${answer.body}`)
}
