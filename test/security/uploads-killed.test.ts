// The server is killed (SIGKILL) again and again while files are uploaded. Every upload that was answered 201 or 204
// is there whole; every other key names nothing, or a whole file whose answer was lost; nothing half-written stays.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { join } from 'node:path'
import t from 'tap'
import { serving } from '../cli/process.ts'
import { scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { asWriter, strategies } from '../helpers/writable.ts'

t.setTimeout(240_000)

/** Uploads in all, and at once. */
const UPLOADS = 500
const AT_ONCE = 12

const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** The status of an upload; undefined where none came. */
async function upload (port: number, path: string, bytes: Buffer): Promise<number | undefined> {
  return await new Promise(resolve => {
    const sent = request({ host: '127.0.0.1', port, path, method: 'PUT', agent: false, headers: { ...asWriter, 'content-length': String(bytes.length) } }, response => {
      response.resume()
      response.on('error', () => resolve(undefined))
      response.on('end', () => resolve(response.statusCode))
    })
    sent.on('error', () => resolve(undefined))
    sent.end(bytes)
  })
}

t.test('whatever was acknowledged outlives any number of kills, and nothing else is half there', async t => {
  const [root, directory] = [await scratch(t), await scratch(t)]
  const config = { sources: { files: { driver: 'file', root } }, strategies, uploads: { directory, expiryMs: 1 }, mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { write: ['keys'] } }] }
  const file = join(await scratch(t, { 'media.config.json': JSON.stringify(config) }), 'media.config.json')
  const offered = new Map<string, Set<string>>()
  const acknowledged = new Map<string, string>()
  const state = { begun: 0, kills: 0, isUp: false }
  while (state.begun < UPLOADS) {
    const server = await serving(t, ['--config', file])
    state.isUp = true
    const one = async (): Promise<void> => {
      while (state.isUp && state.begun < UPLOADS) {
        // Some keys are written again and again, most once.
        const number = state.begun++
        const key = number % 5 === 0 ? `again/${number % 7}.bin` : `once/${number % 17}/${number}.bin`
        const bytes = Buffer.concat([Buffer.alloc(8), randomBytes(randomInt(1, 400_000))]) // whose first bytes are of no known type
        const before = acknowledged.get(key)
        if (key.startsWith('again/')) acknowledged.delete(key) // of two writers at once either may be last
        offered.set(key, (offered.get(key) ?? new Set(before === undefined ? [] : [before])).add(hash(bytes)))
        const status = await upload(server.port, `/files/${key}`, bytes)
        if (status === undefined) continue
        if (status !== 201 && status !== 204) t.fail(`${key}: ${status}`)
        else if (!key.startsWith('again/')) acknowledged.set(key, hash(bytes))
      }
    }
    const work = Promise.all(Array.from({ length: AT_ONCE }, one))
    await Promise.race([work, wait(randomInt(20, 600))])
    state.isUp = false
    server.child.kill('SIGKILL')
    state.kills++
    await Promise.all([work, server.ended])
  }
  t.ok(state.kills >= 3, `${state.kills} kills`)
  t.ok(acknowledged.size > UPLOADS / 10, `${acknowledged.size} uploads were acknowledged`)
  for (const [key, expected] of acknowledged) t.equal(hash(readFileSync(join(root, key))), expected, key)
  const last = await serving(t, ['--config', file])
  const files = (): string[] => readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))
  t.ok(await eventually(() => files().every(name => !name.startsWith('.uploads/'))), 'what was left behind is removed')
  for (const key of files()) t.ok(offered.get(key)?.has(hash(readFileSync(join(root, key)))), `${key} is whole`)
  t.equal(await upload(last.port, '/files/after.bin', Buffer.from('still here')), 201)
})
