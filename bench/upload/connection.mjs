import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const END_OF_HEAD = '\r\n\r\n'
const LAST_CHUNK = '0\r\n\r\n'
/** What a paced client sends at once. */
const PACED_BYTES = 64 * 1024

/** A keep-alive connection that sends bodies as they are, and reads short answers. */
export class Connection {
  #socket
  #host
  #answer = ''
  #resolve = () => {}
  #reject = () => {}

  constructor (url) {
    const { hostname, port, host } = new URL(url)
    this.#host = host
    this.#socket = connect(Number(port), hostname)
    this.#socket.setNoDelay(true)
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', text => this.#read(text))
    this.#socket.on('error', error => this.#reject(error))
    this.#socket.on('close', () => this.#reject(new Error('Expected an answer but the connection was closed')))
  }

  /**
   * @param {{ method: string, path: string, headers?: Record<string, string>, body?: Buffer[], bytesPerSecond?: number }} request
   * @returns {Promise<{ status: number, headers: Record<string, string>, body: string }>}
   */
  async ask ({ method, path, headers = {}, body = [], bytesPerSecond }) {
    const length = body.reduce((sum, part) => sum + part.length, 0)
    const fields = Object.entries({ host: this.#host, 'content-length': String(length), ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    const answered = new Promise((resolve, reject) => { this.#resolve = resolve; this.#reject = reject })
    answered.catch(() => {}) // it may fail before anybody waits for it
    this.#socket.cork()
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${fields.join('')}\r\n`)
    if (bytesPerSecond === undefined) for (const part of body) this.#socket.write(part)
    this.#socket.uncork()
    if (bytesPerSecond !== undefined) await this.#sendPaced(body, bytesPerSecond)
    return await answered
  }

  close () {
    this.#reject = () => {}
    this.#socket.destroy()
  }

  async #sendPaced (body, bytesPerSecond) {
    const started = performance.now()
    let sent = 0
    for (const part of body) {
      for (let start = 0; start < part.length; start += PACED_BYTES) {
        const piece = part.subarray(start, start + PACED_BYTES)
        if (!this.#socket.write(piece)) await once(this.#socket, 'drain')
        sent += piece.length
        const early = started + sent / bytesPerSecond * 1000 - performance.now()
        if (early > 1) await sleep(early)
      }
    }
  }

  #read (text) {
    this.#answer += text
    const end = this.#answer.indexOf(END_OF_HEAD)
    if (end === -1) return
    const head = this.#answer.slice(0, end)
    const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))
    const headers = fieldsOf(head)
    const body = this.#answer.slice(end + END_OF_HEAD.length)
    if (headers['transfer-encoding'] === undefined ? body.length < Number(headers['content-length'] ?? 0) : !body.endsWith(LAST_CHUNK)) return
    this.#answer = ''
    this.#resolve({ status, headers, body })
  }
}

function fieldsOf (head) {
  return Object.fromEntries(head.split('\r\n').slice(1).map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  }))
}
