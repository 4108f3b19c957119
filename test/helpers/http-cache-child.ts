// Another process that fills a shared HTTP cache in DIRECTORY with answers of many sizes until it is killed.
import { Readable } from 'node:stream'
import { HttpCache } from '../../lib/http-cache/http-cache.ts'
import { bytesOf, pieceOf } from './http-cache.ts'

const [directory = '', first = '0'] = process.argv.slice(2)
const cache = await HttpCache.open({ memoryBytes: 8 * 1024 * 1024, diskBytes: 512 * 1024 * 1024, directory })
const cached = cache.over({
  name: 'assets',
  async send ({ path }) {
    const { chunks, size } = pieceOf(path)
    return { status: 200, headers: { 'cache-control': 'max-age=100000', ...(size % 2 === 0 ? { 'content-length': String(size) } : {}) }, body: Readable.from(chunks(), { objectMode: false }), trailers: () => undefined }
  }
}, { scope: 'assets', heuristicSeconds: 0, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0, maxEntryBytes: 64 * 1024 * 1024 })

let done = 0
await Promise.all(Array.from({ length: 8 }, async (_, reader) => {
  for (let n = 0; n < 10_000; n++) {
    const { body } = await cached.send({ method: 'GET', path: `/${first}-${reader}-${n}`, headers: {} })
    await bytesOf(body)
    done++
    if (done % 10 === 0) process.stdout.write(`${done}\n`)
  }
}))
