import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, freePort } from './process.ts'
import { scratch, type Test } from './app.ts'

/** Why tests with a real nginx cannot run here; undefined where they can. */
export const noNginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].some(existsSync) ? undefined : 'nginx is not installed (Debian package nginx)'

/** An nginx with TLS on a free loopback port, for the length of a test. */
export async function tlsNginx (t: Test, locations: string): Promise<{ port: number }> {
  const directory = await scratch(t)
  await chmod(directory, 0o755)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')], { stdio: 'ignore' })
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${join(directory, name)};`).join('\n')
  const file = join(directory, 'nginx.conf')
  await writeFile(file, `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${join(directory, 'pid')}; error_log ${join(directory, 'error.log')};
    events { worker_connections 64; }
    http {
      access_log off; ${temporary}
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${join(directory, 'cert.pem')}; ssl_certificate_key ${join(directory, 'key.pem')};
        ${locations}
      }
    }`)
  const nginx = spawn('nginx', ['-c', file], { stdio: 'ignore' })
  const ended = new Promise(resolve => nginx.once('exit', resolve))
  t.teardown(async () => { nginx.kill('SIGTERM'); await ended })
  await eventually(() => existsSync(join(directory, 'pid')))
  return { port }
}
