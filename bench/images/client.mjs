import { Agent, request as httpRequest } from 'node:http'

/** Sockets that are kept from one request to the next, as many as anybody here needs at once. */
const agent = new Agent({ keepAlive: true, maxSockets: 128 })
const DEADLINE_MS = 60_000

/** @returns {Promise<{ url: string, status: number, headers: object, body: Buffer, ms: number }>} */
export async function get (url, headers = {}) {
  const started = performance.now()
  return await new Promise((resolve, reject) => {
    httpRequest(url, { agent, headers }, function collect (response) {
      const chunks = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ url, status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), ms: performance.now() - started }))
    }).on('error', reject).setTimeout(DEADLINE_MS, function giveUp () { this.destroy(new Error(`Expected an answer from ${url} within ${DEADLINE_MS} ms`)) }).end()
  })
}

/**
 * Asks for all, so many at a time.
 *
 * @returns {Promise<{ answers: Array<Awaited<ReturnType<typeof get>>>, seconds: number }>} in the order of `urls`
 */
export async function getAll (urls, atOnce) {
  const answers = []
  let next = 0
  const started = performance.now()
  await Promise.all(Array.from({ length: Math.min(atOnce, urls.length) }, async function ask () {
    while (next < urls.length) {
      const place = next++
      answers[place] = await get(urls[place])
    }
  }))
  return { answers, seconds: (performance.now() - started) / 1000 }
}

export function closeSockets () {
  agent.destroy()
}
