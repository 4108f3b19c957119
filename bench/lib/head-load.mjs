import { connect } from 'node:net'

/** `node head-load.mjs URL CONNECTIONS`: says READY, then asks HEAD after HEAD until SIGINT, then prints the same line as wrk.lua. */

const [address, connections] = process.argv.slice(2)
const { hostname, port, host, pathname } = new URL(address)
const message = Buffer.from(`HEAD ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)

const STATUS_AT = 'HTTP/1.1 '.length
const END_OF_HEAD = 0x0d_0a_0d_0a

const latencies = []
const errors = { connect: 0, read: 0, write: 0, status: 0, timeout: 0 }
let bytes = 0

const started = performance.now()
for (let place = 0; place < Number(connections); place++) ask()

function ask () {
  const socket = connect(Number(port), hostname)
  let isHeadStart = true
  let asked = 0
  socket.setNoDelay(true)
  socket.on('connect', send)
  socket.on('data', function read (chunk) {
    bytes += chunk.length
    if (isHeadStart && chunk.toString('latin1', STATUS_AT, STATUS_AT + 3) !== '200') errors.status++
    // HEAD has no body: what ends like a head ends the answer
    isHeadStart = chunk.length >= 4 && chunk.readUInt32BE(chunk.length - 4) === END_OF_HEAD
    if (!isHeadStart) return
    latencies.push(performance.now() - asked)
    send()
  })
  socket.on('error', function fail () { errors[asked === 0 ? 'connect' : 'read']++ })
  socket.on('end', function fail () { errors.read++ })

  function send () {
    asked = performance.now()
    socket.write(message)
  }
}

process.once('SIGINT', function report () {
  const durationUs = Math.round((performance.now() - started) * 1000)
  const sorted = Float64Array.from(latencies).toSorted()
  const p99Us = Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 1000)
  process.stdout.write(`RESULT ${JSON.stringify({ requests: latencies.length, bytes, durationUs, p99Us, errors })}\n`, () => process.exit(0))
})
process.stdout.write('READY\n')
