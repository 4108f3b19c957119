import { once } from 'node:events'
import { connect } from 'node:net'

const READ_BYTES = 256 * 1024
const END_OF_HEAD = '\r\n\r\n'

/**
 * A client on a connection of its own that counts bytes and keeps none, so that it costs little
 * beside the server that is looked at.
 */
export class Stream {
  /** Bytes of the body so far. */
  bytes = 0
  status = 0
  /** Undefined as long as the head has not come. */
  #head = ''
  #asked = 0
  #socket
  #onBody
  #onFirst

  /** @param {(chunk: Buffer) => void} [onBody] told of each piece, which is overwritten by the next one */
  constructor (url, onBody) {
    const { hostname, port, host, pathname } = new URL(url)
    this.#onBody = onBody
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: (length, buffer) => this.#read(buffer.subarray(0, length)) }
    })
    this.#socket.setNoDelay(true)
    this.opened = once(this.#socket, 'connect')
    this.closed = new Promise(resolve => { this.#socket.once('close', resolve).on('error', () => {}) })
    this.message = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  }

  /** @returns {Promise<number>} ms from the request to the first byte of the body */
  async ask () {
    await this.opened
    const first = new Promise((resolve, reject) => {
      this.#onFirst = resolve
      void this.closed.then(() => reject(new Error(`Expected a body but received ${this.status || 'nothing'}`)))
    })
    this.#asked = performance.now()
    this.#socket.write(this.message)
    return await first
  }

  pause () { this.#socket.pause() }

  resume () { this.#socket.resume() }

  async close () {
    this.#socket.destroy()
    await this.closed
  }

  #read (chunk) {
    const body = this.#head === undefined ? chunk : this.#afterHead(chunk)
    if (body.length === 0) return true
    if (this.bytes === 0) this.#onFirst?.(performance.now() - this.#asked)
    this.bytes += body.length
    this.#onBody?.(body)
    return true
  }

  #afterHead (chunk) {
    const from = this.#head.length
    this.#head += chunk.toString('latin1')
    const end = this.#head.indexOf(END_OF_HEAD)
    if (end === -1) return chunk.subarray(chunk.length)
    this.status = Number(this.#head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))
    this.#head = undefined
    return chunk.subarray(end + END_OF_HEAD.length - from)
  }
}
