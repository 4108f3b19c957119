import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { pino } from 'pino'
import media, { type MediaOptions } from '../../app.ts'
import { serverOptions } from '../../plugins/errors.ts'

/** What the helpers need of a test: to be told when it is over. */
export interface Test {
  teardown (action: () => unknown): void
}

/** A directory with the given files, removed after the test. */
export async function scratch (t: Test, files: Record<string, string | Buffer> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-media-'))
  t.teardown(async () => await rm(directory, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  return directory
}

/** A server on a free loopback port, closed after the test. */
export interface Served {
  app: FastifyInstance
  port: number
  url: string
  /** Every log line so far, parsed. */
  logs: Array<Record<string, unknown>>
}

/** Starts any Fastify app the way the standalone server does. */
export async function serve (t: Test, build: (app: FastifyInstance) => unknown, options: FastifyServerOptions = {}): Promise<Served> {
  const logs: Array<Record<string, unknown>> = []
  const sink = new Writable({
    write (line: Buffer, _encoding, done) {
      logs.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    }
  })
  const app = fastify({ ...serverOptions, loggerInstance: pino({ level: 'trace', base: null }, sink), ...options } as FastifyServerOptions) as unknown as FastifyInstance
  t.teardown(async () => await app.close())
  await build(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { app, port, url: `http://127.0.0.1:${port}`, logs }
}

/** Starts the root app with a configuration. */
export async function serveMedia (t: Test, options: MediaOptions, register: { prefix?: string } = {}): Promise<Served> {
  return await serve(t, app => { app.register(media, { ...options, ...register }) })
}

/** A configuration of one mount over one directory. */
export function oneMount (root: string, mount: Record<string, unknown> = {}, source: Record<string, unknown> = {}, rest: Record<string, unknown> = {}): MediaOptions {
  return { sources: { files: { driver: 'file', root, ...source } }, mounts: [{ source: 'files', ...mount }], ...rest }
}

/** An answer, whole. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
}

/** One request over a real socket. The path goes out as it is written: nothing normalises it. */
export async function ask (served: { port: number }, path: string, options: { method?: string, headers?: Record<string, string | string[]>, body?: string | Buffer } = {}): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: served.port, path, method: options.method ?? 'GET', headers: { ...(options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }), ...options.headers }, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() })
      })
    })
    request.on('error', reject)
    request.end(options.body)
  })
}

/** Bytes written to a socket as they are, and all that comes back until the server closes. */
export async function raw (served: { port: number }, bytes: string | Buffer, waitMs = 5000): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(served.port, '127.0.0.1', () => socket.write(bytes))
    const finish = (): void => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    const timer = setTimeout(finish, waitMs)
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('close', () => { clearTimeout(timer); finish() })
    socket.on('error', error => { clearTimeout(timer); if (chunks.length > 0) finish(); else reject(error) })
  })
}
