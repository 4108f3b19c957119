import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { scratch, type Test } from '../helpers/app.ts'
import { eventually, freePort } from '../helpers/process.ts'

/** An nginx as an origin, with its files. */
export interface NginxOrigin {
  /** Without a slash at the end. */
  readonly url: string
  readonly port: number
  /** The directory of its files. */
  readonly root: string
  /** What it was asked and has answered: `GET /path?query 200`. */
  requests (): Promise<string[]>
  /** Ends it at once, with what is under way. */
  kill (): Promise<void>
}

/** What of an nginx is not as usual. */
export interface NginxChoices {
  /** By their paths. */
  readonly files?: Record<string, string | Buffer>
  /** The directory of the files, where they are there already. */
  readonly root?: string
  /** Directives of its one server. */
  readonly server?: string
  /** What follows the address of `listen`: `ssl http2`. */
  readonly listen?: string
  /** Where it listens, if not at a free port. */
  readonly port?: number
}

/** Starts a real nginx with files on loopback, which is ended after the test. */
export async function nginxOrigin (t: Test, { files = {}, root: given, server = '', listen = '', port: fixed }: NginxChoices): Promise<NginxOrigin> {
  const directory = await scratch(t)
  const root = given ?? join(await scratch(t, Object.fromEntries(Object.entries(files).map(([name, content]) => [`files/${name}`, content]))), 'files')
  await mkdir(root, { recursive: true })
  for (const place of [directory, join(root, '..')]) await chmod(place, 0o755)
  const port = fixed ?? await freePort()
  const log = join(directory, 'access.log')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${join(directory, name)};`).join('\n')
  await writeFile(join(directory, 'nginx.conf'), `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${join(directory, 'pid')}; error_log ${join(directory, 'error.log')};
    events { worker_connections 256; }
    http {
      types { text/html html; text/css css; application/json json; image/jpeg jpg; video/mp4 mp4; video/mp2t ts; application/vnd.apple.mpegurl m3u8; }
      default_type application/octet-stream;
      log_format asked '$request_method $request_uri $status'; access_log ${log} asked;
      sendfile on; ${temporary}
      server { listen 127.0.0.1:${port} ${listen}; root ${root}; ${server} }
    }`)
  const nginx = spawn('nginx', ['-c', join(directory, 'nginx.conf')], { stdio: 'ignore' })
  const ended = new Promise<void>(resolve => nginx.once('exit', () => { resolve() }))
  const kill = async (): Promise<void> => {
    nginx.kill('SIGTERM')
    await ended
  }
  t.teardown(kill)
  await eventually(() => existsSync(join(directory, 'pid')))
  return {
    url: `${listen.includes('ssl') ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    root,
    requests: async () => (await readFile(log, 'utf8')).split('\n').filter(line => line !== ''),
    kill
  }
}
