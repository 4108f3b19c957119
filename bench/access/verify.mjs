import { request } from '../lib/request.mjs'

/**
 * Each request of a variant once, looked at closely, and one without what it proves.
 *
 * @throws {Error} where a status, a header that shows the variant to be on, or a byte is wrong
 */
export async function verifyVariant ({ name, server, proves = false }, { url, requests, bytes }) {
  const expect = (what, wanted, received) => {
    if (wanted !== received) throw new Error(`${name}: Expected ${what} ${wanted} but received ${received}`)
  }
  for (const { path, headers } of requests) {
    const answer = await request(`${url}${path}`, { headers })
    expect('status', 200, answer.status)
    expect('the bytes of the file to be', true, bytes.equals(answer.body))
    if (server === 'ours') expect('an answer of its own client to be', proves, /^private\b/.test(answer.headers['cache-control']))
    if (name.includes('rate')) expect('an answer with a limit to be', true, ['ratelimit', 'x-ratelimit-limit'].some(field => answer.headers[field] !== undefined))
  }
  if (!proves) return
  const [{ path }] = requests
  expect('status without credentials', 401, (await request(`${url}${path.replace(/\?.*/, '')}`)).status)
}
