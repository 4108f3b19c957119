import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'

/** node-http-proxy under node:http, which by itself would make a connection for each request. `ORIGIN`, `PORT`. */

const { ORIGIN, PORT } = process.env
const proxy = httpProxy.createProxyServer({ target: ORIGIN, agent: new Agent({ keepAlive: true }) })
proxy.on('error', (_error, _request, response) => { response.destroy() })
createServer((request, response) => { proxy.web(request, response) }).listen(Number(PORT), '127.0.0.1')
