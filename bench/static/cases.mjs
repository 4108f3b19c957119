import { randomBytes } from 'node:crypto'
import { linkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from '../lib/request.mjs'

export const KIB = 1024
export const MIB = 1024 * KIB

/** Random bytes under types that nobody compresses. */
const FILES = { '2k.jpg': 2 * KIB, '20k.jpg': 20 * KIB, '200k.jpg': 200 * KIB, '10m.bin': 10 * MIB }

/** How many names the largest file has, so that clients can ask for different ones. */
export const COPIES = 64
export const COPY_PATH = '/copies-%d.bin'

const RANGE = { start: 4 * MIB, length: 64 * KIB }

/**
 * What is asked, and what must come. `byBytes`: requests are so long that those which the end
 * of a run cuts weigh, so the bytes that arrive amid the run are counted in place of requests.
 */
export const cases = [
  { name: '2k', file: '2k.jpg', status: 200 },
  { name: '20k', file: '20k.jpg', status: 200 },
  { name: '200k', file: '200k.jpg', status: 200 },
  { name: '10m', file: '10m.bin', status: 200, byBytes: true },
  { name: '304', file: '20k.jpg', status: 304 },
  { name: 'HEAD', file: '20k.jpg', status: 200, method: 'HEAD' },
  { name: 'range', file: '10m.bin', status: 206, headers: { range: `bytes=${RANGE.start}-${RANGE.start + RANGE.length - 1}` } }
]

/** Headers that show our hook chain to be on. */
const HOOK_HEADERS = ['cache-control', 'vary', 'x-content-type-options']

/** @returns {Record<string, Buffer>} the bytes by name */
export function writeFiles (directory) {
  const files = {}
  for (const [name, size] of Object.entries(FILES)) {
    files[name] = randomBytes(size)
    writeFileSync(join(directory, name), files[name])
  }
  for (let copy = 0; copy < COPIES; copy++) linkSync(join(directory, '10m.bin'), join(directory, COPY_PATH.replace('%d', copy)))
  return files
}

/**
 * One plain request of a case, looked at closely.
 *
 * @returns the load of the case on this server, and the length of a body
 * @throws {Error} where status, length or a byte is wrong
 */
export async function verifyCase ({ name, file, status, method = 'GET', headers = {} }, server, files) {
  const url = `${server.url}/${file}`
  const asked = status === 304 ? { 'if-none-match': await currentTag(url, server) } : headers
  const answer = await request(url, { method, headers: asked })
  const whole = files[file]
  const expected = status === 304 || method === 'HEAD' ? Buffer.alloc(0)
    : status === 206 ? whole.subarray(RANGE.start, RANGE.start + RANGE.length) : whole

  expect(server, name, 'status', status, answer.status)
  expect(server, name, 'body length', expected.length, answer.body.length)
  if (!expected.equals(answer.body)) throw new Error(`${server.name}, ${name}: Expected the file's bytes but received others`)
  if (status !== 304) expect(server, name, 'content-length', String(method === 'HEAD' ? whole.length : expected.length), answer.headers['content-length'])
  if (server.name === 'ours') {
    for (const header of HOOK_HEADERS.filter(each => status !== 304 || each === 'vary')) expect(server, name, header, 'a value', answer.headers[header] === undefined ? 'none' : 'a value')
  }
  return { url, method, headers: asked, length: expected.length }
}

async function currentTag (url, server) {
  const { headers: { etag } } = await request(url)
  if (etag === undefined) throw new Error(`${server.name}, 304: Expected an entity tag but received none`)
  return etag
}

function expect (server, name, what, wanted, received) {
  if (wanted !== received) throw new Error(`${server.name}, ${name}: Expected ${what} ${wanted} but received ${received}`)
}
