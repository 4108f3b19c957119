import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'

/**
 * One plain request on a connection of its own.
 *
 * @returns {Promise<{ status: number, headers: import('node:http').IncomingHttpHeaders, body: Buffer }>}
 */
export function request (url, { method = 'GET', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method, headers, agent: false }, function collect (response) {
      const chunks = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }))
    }).on('error', reject).setTimeout(10_000, function giveUp () { this.destroy(new Error(`No answer to ${method} ${url} within 10 s`)) }).end()
  })
}

/** Whether something listens there. No request is made. */
export function accepts (port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
