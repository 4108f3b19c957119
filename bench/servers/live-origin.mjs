import { createServer } from 'node:http'

/**
 * An origin with streams that have no end, below `/live`, and a file of 20 KB at every other path.
 * `PORT`; `EVERY_MS` and `PIECE_BYTES` of the streams.
 */

const { PORT, EVERY_MS, PIECE_BYTES } = process.env
const file = Buffer.alloc(20 * 1024, 'x')
const piece = Buffer.alloc(Number(PIECE_BYTES), 'x')
const viewers = new Set()

createServer((request, response) => {
  if (!request.url.startsWith('/live')) {
    response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': file.length })
    response.end(file)
    return
  }
  response.writeHead(200, { 'content-type': 'video/x-flv' })
  response.flushHeaders()
  viewers.add(response)
  response.once('close', () => viewers.delete(response))
}).listen(Number(PORT), '127.0.0.1')

setInterval(function sendPiece () {
  for (const viewer of viewers) viewer.write(piece)
}, Number(EVERY_MS))
