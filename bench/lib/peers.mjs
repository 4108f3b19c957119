import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scratchDirectory } from './scratch.mjs'
import { freePort, startServer } from './server-process.mjs'

/** How each kind of server is started: on a free port of loopback, in a directory of its own. */

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/**
 * @typedef {{ directory: string, port: number, logFile: string }} Place where a server runs
 * @param {{ name: string, programs: Record<string, string>, http: (place: Place) => string, readyPath: string }} options
 *   `http`: the lines of nginx's http block
 */
export async function startNginx ({ name, programs, http, readyPath }) {
  const place = await placeOf(name)
  const { directory } = place
  const configuration = `
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log error;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${directory}/${kind};`).join('\n  ')}
  keepalive_requests 1000000000;
  ${http(place)}
}
`
  const file = written(place, 'nginx.conf', configuration)
  return await started(place, { name, command: programs.nginx, args: ['-p', directory, '-c', file, '-e', join(directory, 'error.log')], readyPath })
}

/** @param {{ name: string, programs: Record<string, string>, site: (place: Place) => string, readyPath: string }} options `site`: the lines of Caddy's site block */
export async function startCaddy ({ name, programs, site, readyPath }) {
  const place = await placeOf(name)
  const configuration = `
{
  admin off
  auto_https off
}
http://127.0.0.1:${place.port} {
  bind 127.0.0.1
  ${site(place)}
}
`
  const file = written(place, 'Caddyfile', configuration)
  return await started(place, { name, command: programs.caddy, args: ['run', '--adapter', 'caddyfile', '--config', file], readyPath })
}

/** @param {{ name: string, program: string, env: (place: Place) => Record<string, string>, readyPath: string }} options `program`: a file of ours that listens on `PORT` */
export async function startNode ({ name, program, env, readyPath }) {
  const place = await placeOf(name)
  return await started(place, { name, command: process.execPath, args: [program], env: { PORT: String(place.port), ...env(place) }, readyPath })
}

/** @param {{ config: (place: Place) => object, readyPath?: string }} options `config`: what stands in the configuration file */
export async function startOurs ({ config, readyPath }) {
  const place = await placeOf('ours')
  const file = written(place, 'media.config.json', JSON.stringify(config(place)))
  return await started(place, { name: 'ours', command: process.execPath, args: [cli, 'serve', '--config', file], env: { HOST: '127.0.0.1', PORT: String(place.port) }, readyPath })
}

async function placeOf (name) {
  const directory = scratchDirectory(name)
  return { directory, port: await freePort(), logFile: join(directory, 'access.log') }
}

function written ({ directory }, name, text) {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

async function started (place, options) {
  return { ...await startServer({ ...options, ...place }), logFile: place.logFile }
}
