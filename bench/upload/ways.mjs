/**
 * How one file is sent over a connection. Each way takes the connection and what it sends, `{ base,
 * name, bytes, headers, bytesPerSecond }`, and returns the last answer.
 *
 * @throws {Error} where an answer is not the one of success
 */
export const ways = { put, form, tus }

const BOUNDARY = '----fastify-media-bench'
const TUS_CHUNK_BYTES = 1024 * 1024
const TUS = { 'tus-resumable': '1.0.0' }

async function put (connection, { base, name, bytes, headers, bytesPerSecond }) {
  return expect([201, 204], await connection.ask({ method: 'PUT', path: `${base}/${name}`, headers, body: [bytes], bytesPerSecond }))
}

/** RFC 7578: one file. */
async function form (connection, { base, name, bytes, headers }) {
  const part = Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`)
  return expect([201], await connection.ask({
    method: 'POST',
    path: `${base}/`,
    headers: { ...headers, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: [part, bytes, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]
  }))
}

/** https://tus.io/protocols/resumable-upload: the upload is made, then filled in chunks. */
async function tus (connection, { base, name, bytes, headers }) {
  const metadata = `filename ${Buffer.from(name).toString('base64')}`
  const made = expect([201], await connection.ask({ method: 'POST', path: `${base}/`, headers: { ...headers, ...TUS, 'upload-length': String(bytes.length), 'upload-metadata': metadata } }))
  const { pathname } = new URL(made.headers.location, 'http://localhost')
  let answer = made
  for (let start = 0; start < bytes.length; start += TUS_CHUNK_BYTES) {
    answer = expect([204], await connection.ask({
      method: 'PATCH',
      path: pathname,
      headers: { ...headers, ...TUS, 'upload-offset': String(start), 'content-type': 'application/offset+octet-stream' },
      body: [bytes.subarray(start, start + TUS_CHUNK_BYTES)]
    }))
  }
  return answer
}

function expect (wanted, answer) {
  if (!wanted.includes(answer.status)) throw new Error(`Expected status ${wanted.join(' or ')} but received ${answer.status}: ${answer.body}`)
  return answer
}
