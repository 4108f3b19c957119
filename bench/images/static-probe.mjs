import { Agent, request } from 'node:http'

/** `node static-probe.mjs URL`: asks for a file every few milliseconds until SIGTERM, then prints the latencies as one line of JSON. */

const url = process.argv[2]
const PAUSE_MS = 5
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const latencies = []
const over = new AbortController()

process.once('SIGTERM', function end () { over.abort() })
process.stdout.write('READY\n')
while (!over.signal.aborted) {
  latencies.push(await ask())
  await new Promise(resolve => { setTimeout(resolve, PAUSE_MS) })
}
agent.destroy()
process.stdout.write(`${JSON.stringify(latencies)}\n`)

async function ask () {
  const started = performance.now()
  return await new Promise((resolve, reject) => {
    request(url, { agent }, function drain (response) {
      if (response.statusCode !== 200) reject(new Error(`${url}: Expected status 200 but received ${response.statusCode}`))
      response.resume().once('end', () => resolve(performance.now() - started))
    }).on('error', reject).end()
  })
}
