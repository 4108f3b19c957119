import { hash, randomBytes } from 'node:crypto'
import sharp from 'sharp'
import type { MediaOptions } from '../../app.ts'
import { ask, scratch, serveMedia, type Answer, type Served, type Test } from './app.ts'

/* A server with an API, three mounts behind it, and who may do what. */

const secretOf = (name: string): string => `fm_${hash('sha256', `${name} ${process.pid} of the tests of the API`, 'base64url')}`
const all = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']
const keyOf = (name: string, mounts: string[], methods = all): object => ({ name, mounts, methods, hash: `sha256:${hash('sha256', secretOf(name), 'hex')}` })

/** Whoever may do something. `editor`: all to `/photos`; `viewer` reads it; `keeper`: all to `/vault`; `stranger`: `/photos`, but not the API. */
export type Caller = 'editor' | 'viewer' | 'keeper' | 'stranger' | 'owner'

/** The fields by which a server knows a caller. */
export const as = (caller: Caller, headers: Record<string, string> = {}): { headers: Record<string, string> } => ({ headers: { 'x-api-key': secretOf(caller), ...headers } })

export const strategies = {
  machines: { driver: 'apiKey', keys: [
    keyOf('editor', ['/api/v1', '/photos']),
    keyOf('viewer', ['/api/v1', '/photos'], ['GET', 'HEAD']),
    keyOf('keeper', ['/api/v1', '/vault']),
    keyOf('owner', ['/api/v1', '/photos', '/vault', '/tiny']),
    keyOf('stranger', ['/photos'])
  ] },
  links: { driver: 'signed', maxLifetimeSeconds: 7200, keys: [{ id: 'a', secret: randomBytes(32).toString('base64url') }] }
}

/** 24 by 16 pixels, of one colour. */
export const picture = async (background = 'teal'): Promise<Buffer> => await sharp({ create: { width: 24, height: 16, channels: 3, background } }).png().toBuffer()

/** What is there at first. */
export async function apiFiles (t: Test): Promise<{ photos: string, vault: string, open: string, tiny: string, uploads: string }> {
  const photos = await scratch(t, { 'cat.png': await picture(), 'dog.png': await picture('brown'), 'note.txt': 'a note', 'broken.png': (await picture()).subarray(0, 60), '2026/a.txt': 'a', '2026/b.txt': 'b', '2026/c.txt': 'c' })
  return { photos, vault: await scratch(t, { 'secret.txt': 'a secret', 'gold.png': await picture('gold') }), open: await scratch(t, { 'hello.txt': 'hello' }), tiny: await scratch(t), uploads: await scratch(t) }
}

/** The configuration of such a server. */
export function apiOptions (files: Awaited<ReturnType<typeof apiFiles>>, { api = {}, mounts = [], ...rest }: { api?: object, mounts?: object[] } & Record<string, unknown> = {}): MediaOptions {
  const { photos, vault, open, tiny, uploads } = files
  return {
    strategies,
    uploads: { directory: uploads, stallMs: 500 },
    images: { cache: { directory: `${uploads}/variants`, diskBytes: 0 } },
    sources: { photos: { driver: 'file', root: photos }, vault: { driver: 'file', root: vault }, open: { driver: 'file', root: open }, tiny: { driver: 'file', root: tiny } },
    api: { access: { read: ['machines'], write: ['machines'] }, ...api },
    mounts: [
      { prefix: '/photos', source: 'photos', permission: 'read-write', writing: { maxBytes: 100_000, overwrite: true }, access: { read: ['machines', 'links'], write: ['machines', 'links'] } },
      { prefix: '/vault', source: 'vault', permission: 'read-write', access: { read: ['machines'], write: ['machines'] } },
      { prefix: '/tiny', source: 'tiny', permission: 'read-write', writing: { quotas: { mount: { bytes: 10 } } }, access: { read: ['machines'], write: ['machines'] } },
      { prefix: '/open', source: 'open', images: { mode: 'off' } },
      ...mounts
    ],
    ...rest
  } as unknown as MediaOptions
}

export async function serveApi (t: Test, options: Parameters<typeof apiOptions>[1] = {}): Promise<Served> {
  return await serveMedia(t, apiOptions(await apiFiles(t), options))
}

/** Asks an operation with JSON. */
export async function post (served: Served, url: string, body: unknown, { headers = {} }: { headers?: Record<string, string> } = {}): Promise<Answer> {
  return await ask(served, `/api/v1${url}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) })
}

/** The answer's JSON. */
export function json ({ text }: Answer): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>
}

/** The URL of an operation with its query. */
export const url = (operation: string, query: Record<string, string | number> = {}): string => `/api/v1/${operation}?${new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])).toString()}`
