// The server is killed (SIGKILL) again and again while files are uploaded: by PUT, pictures, forms of two files, and
// resumable uploads. Every upload that was answered well is there whole, or what was written over it later; every other
// key names nothing, or a whole file whose answer was lost; nothing half-written stays.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { serving } from '../cli/process.ts'
import { scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { asWriter, form, strategies } from '../helpers/writable.ts'

t.setTimeout(240_000)

/** Uploads in all, and at once. */
const UPLOADS = 500
const AT_ONCE = 12

const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

interface Sent { readonly method: 'PUT' | 'POST', readonly path: string, readonly body: Buffer, readonly headers: Record<string, string> }

/** The status of an upload; undefined where none came. */
async function upload (port: number, { method, path, body, headers }: Sent): Promise<number | undefined> {
  return await new Promise(resolve => {
    const sent = request({ host: '127.0.0.1', port, path, method, agent: false, headers: { ...asWriter, 'content-length': String(body.length), ...headers } }, response => {
      response.resume()
      response.on('error', () => resolve(undefined))
      response.on('end', () => resolve(response.statusCode))
    })
    sent.on('error', () => resolve(undefined))
    sent.end(body)
  })
}

/** One that was sent: when it was begun and when it was over, on one clock, and whether it was answered well. */
interface Attempt { readonly content: string, readonly begun: number, over: number, isAcknowledged: boolean }

/** All that was sent, by key. */
class Attempts {
  readonly #byKey = new Map<string, Attempt[]>()
  #clock = 0

  begin (key: string, bytes: Buffer): Attempt {
    const attempt = { content: hash(bytes), begun: ++this.#clock, over: Infinity, isAcknowledged: false }
    this.#byKey.set(key, [...this.#byKey.get(key) ?? [], attempt])
    return attempt
  }

  end (attempts: readonly Attempt[], isAcknowledged: boolean): void {
    this.#clock++
    for (const attempt of attempts) Object.assign(attempt, { over: this.#clock, isAcknowledged })
  }

  get keys (): string[] {
    return [...this.#byKey.keys()]
  }

  /** What a key may name: of those who wrote at once any, and none that was over before one was begun that was acknowledged. */
  possible (key: string): Set<string> {
    const all = this.#byKey.get(key) ?? []
    const lastBegun = Math.max(...all.filter(({ isAcknowledged }) => isAcknowledged).map(({ begun }) => begun))
    return new Set(all.filter(({ over }) => over >= lastBegun).map(({ content }) => content))
  }

  isThereFor (key: string): boolean {
    return this.#byKey.get(key)?.some(({ isAcknowledged }) => isAcknowledged) ?? false
  }

  get acknowledged (): number {
    return this.keys.filter(key => this.isThereFor(key)).length
  }
}

/** Bytes of no known type, few or many. */
const bytesOfNone = (): Buffer => Buffer.concat([Buffer.alloc(8), randomBytes(randomInt(1, 400_000))])

/** A small picture that nobody has seen. */
const picture = async (): Promise<Buffer> => await sharp(randomBytes(48 * 48 * 3), { raw: { width: 48, height: 48, channels: 3 } }).png().toBuffer()

/** The upload of a number, and the files that come of it. Some keys are written again and again, most once. */
async function planned (number: number): Promise<{ sent: Sent, files: Array<readonly [key: string, bytes: Buffer]> }> {
  const put = (key: string, bytes: Buffer): { sent: Sent, files: Array<readonly [string, Buffer]> } => ({ sent: { method: 'PUT', path: `/files/${key}`, body: bytes, headers: {} }, files: [[key, bytes]] })
  switch (number % 10) {
    case 0: case 5: return put(`again/${number % 7}.bin`, bytesOfNone())
    case 1: return put(`pictures/${number}.png`, await picture())
    case 6: return put(`again/${number % 3}.png`, await picture())
    case 2: {
      const files = [[`forms/${number}/a.bin`, bytesOfNone()], [`forms/${number}/b.png`, await picture()]] as const
      const { body, headers } = form(files.map(([key, bytes]) => ({ filename: key.slice(-5), body: bytes })), `boundary${randomBytes(8).toString('hex')}`)
      return { sent: { method: 'POST', path: `/files/forms/${number}/`, body, headers }, files: [...files] }
    }
    case 7: {
      const bytes = bytesOfNone()
      const headers = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream', 'upload-length': String(bytes.length), 'upload-metadata': `filename ${Buffer.from(`${number}.bin`).toString('base64')}` }
      return { sent: { method: 'POST', path: '/files/resumable/', body: bytes, headers }, files: [[`resumable/${number}.bin`, bytes]] }
    }
    default: return put(`once/${number % 17}/${number}.bin`, bytesOfNone())
  }
}

/** Files below a directory, by their names from there. */
function filesIn (directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
}

t.test('whatever was acknowledged outlives any number of kills, and nothing else is half there', async t => {
  const [root, directory] = [await scratch(t), await scratch(t)]
  const configuration = async (uploads: object): Promise<string> => {
    const config = { sources: { files: { driver: 'file', root } }, strategies, uploads: { directory, ...uploads }, mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { write: ['keys'] } }] }
    return join(await scratch(t, { 'media.config.json': JSON.stringify(config) }), 'media.config.json')
  }
  const leftovers = (): string[] => [join(root, '.uploads'), join(directory, 'spool'), join(directory, 'resumable')].flatMap(filesIn)
  const file = await configuration({})
  const attempts = new Attempts()
  const state = { begun: 0, kills: 0, isUp: false, left: 0 }
  while (state.begun < UPLOADS) {
    const server = await serving(t, ['--config', file])
    state.isUp = true
    const one = async (): Promise<void> => {
      while (state.isUp && state.begun < UPLOADS) {
        const { sent, files } = await planned(state.begun++)
        const begun = files.map(([key, bytes]) => attempts.begin(key, bytes))
        const status = await upload(server.port, sent)
        attempts.end(begun, status === 201 || status === 204)
        if (status !== undefined && status !== 201 && status !== 204) t.fail(`${sent.path}: ${status}`)
      }
    }
    const work = Promise.all(Array.from({ length: AT_ONCE }, one))
    await Promise.race([work, wait(randomInt(20, 600))])
    state.isUp = false
    server.child.kill('SIGKILL')
    state.kills++
    await Promise.all([work, server.ended])
    state.left += leftovers().length
  }
  t.ok(state.kills >= 3, `${state.kills} kills`)
  t.ok(attempts.acknowledged > UPLOADS / 10, `${attempts.acknowledged} files were acknowledged`)
  t.ok(state.left > 0, 'something was left behind')
  for (const key of attempts.keys) {
    const there = existsSync(join(root, key))
    if (attempts.isThereFor(key)) t.ok(there, `${key} is there`)
    if (there) t.ok(attempts.possible(key).has(hash(readFileSync(join(root, key)))), `${key} is whole, and no older than what was acknowledged last`)
  }
  const last = await serving(t, ['--config', await configuration({ expiryMs: 1 })])
  t.ok(await eventually(() => leftovers().length === 0), 'what was left behind is removed')
  t.same(filesIn(root).filter(key => !attempts.keys.includes(key)), [], 'and there is nothing that nobody sent')
  t.equal(await upload(last.port, { method: 'PUT', path: '/files/after.bin', body: Buffer.from('still here'), headers: {} }), 201)
})
