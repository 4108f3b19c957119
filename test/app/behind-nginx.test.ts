import { get } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { oneMount, scratch, serveMedia } from '../helpers/app.ts'
import { noNginx, tlsNginx } from '../helpers/nginx.ts'

interface Answer { status: number, headers: IncomingHttpHeaders, text: string }

async function fetchTls (url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    get(url, { headers, rejectUnauthorized: false, agent: false }, response => {
      let text = ''
      response.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers, text }) })
    }).on('error', reject)
  })
}

t.test('behind nginx with TLS and a path prefix, told of or not, redirects and listings come out right', { skip: noNginx ?? false }, async t => {
  const root = await scratch(t, { 'd/cat.txt': 'meow' })
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true }, {}, { trustedProxies: ['127.0.0.1/32'] }))
  const { port } = await tlsNginx(t, `
    location /media/ {
      proxy_pass http://127.0.0.1:${served.port}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix /media;
    }
    location /untold/ { proxy_pass http://127.0.0.1:${served.port}/; }
  `)
  const origin = `https://localhost:${port}`

  const told = await fetchTls(`${origin}/media/files/d`)
  t.match(told, { status: 301, headers: { location: `${origin}/media/files/d/` } })

  for (const prefix of ['media', 'untold']) {
    const redirect = await fetchTls(`${origin}/${prefix}/files/d?x=1`)
    const target = new URL(redirect.headers.location as string, `${origin}/${prefix}/files/d?x=1`)
    t.equal(target.href, `${origin}/${prefix}/files/d/?x=1`, `${prefix}: the redirect leads to where the client can go`)
    const page = await fetchTls(target.href)
    t.equal(page.status, 200)
    for (const [, href] of page.text.matchAll(/(?:href|src)="([^"#]+)"/g)) {
      const link = new URL((href as string).replaceAll('&amp;', '&'), target)
      t.equal(link.origin, origin)
      t.ok(link.pathname.startsWith(`/${prefix}/`), `${prefix}: ${link.pathname} stays below the prefix`)
      t.equal((await fetchTls(link.href)).status, 200, `${prefix}: ${link.pathname} is there`)
    }
    t.equal((await fetchTls(new URL('./cat.txt', target).href)).text, 'meow')
  }

  const json = await fetchTls(`${origin}/media/files/d/`, { accept: 'application/json' })
  t.match(JSON.parse(json.text), { url: `${origin}/media/files/d/`, entries: [{ url: `${origin}/media/files/d/cat.txt` }] })
})
