// Another process that shares a cache. Roles: `write DIRECTORY` keeps variants until it is killed;
// `make URL KEY` wants one variant from a shared Redis, and says whether it made it;
// `purges DIRECTORY` says the generation of /photos/a.jpg whenever it changes.
import { createHash, randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { DiskStore } from '../../lib/cache/disk-store.ts'
import { DirectoryLedger } from '../../lib/cache/purge-directory.ts'
import { Purges } from '../../lib/cache/purges.ts'
import { RedisLink } from '../../lib/cache/redis-link.ts'
import { RedisStore } from '../../lib/cache/redis-store.ts'
import type { VariantKey } from '../../lib/cache/store.ts'

const [role, where = '', key = ''] = process.argv.slice(2)

async function write (): Promise<void> {
  const store = await DiskStore.open({ directory: where, totalBytes: 1e9 })
  const first = randomInt(2 ** 40)
  let done = 0
  await Promise.all(Array.from({ length: 16 }, async (_, writer) => {
    for (let n = 0; n < 1000; n++) {
      const name = createHash('sha256').update(`${first} ${writer} ${n}`).digest('base64url') as VariantKey
      const bytes = Buffer.alloc(randomInt(10) === 0 ? 1_500_000 : randomInt(100_000), name)
      await store.put(name, { type: 'image/webp', tags: ['original:/a.jpg'], bytes })
      done++
      if (done % 10 === 0) process.stdout.write(`${done}\n`)
    }
  }))
}

async function make (): Promise<void> {
  const link = await RedisLink.open({ url: where })
  const store = new RedisStore(link)
  process.stdout.write('ready\n')
  await new Promise(resolve => process.stdin.once('data', resolve))
  const claimed = await store.claim(key as VariantKey, new AbortController().signal)
  if (claimed === undefined || 'release' in claimed) {
    await wait(300)
    await store.put(key as VariantKey, { type: 'image/webp', tags: [], bytes: Buffer.from(`by ${process.pid}`) })
    await claimed?.release()
    process.stdout.write(`made by ${process.pid}\n`)
  } else {
    process.stdout.write(`got ${String(claimed.bytes)}\n`)
  }
  await link.close()
  process.stdin.destroy()
}

async function purges (): Promise<void> {
  const all = await Purges.open(new DirectoryLedger({ directory: where }))
  const tell = (): void => { process.stdout.write(`${all.generationOf(['original:/photos/a.jpg'])}\n`) }
  all.onPurge(tell)
  tell()
  setInterval(() => undefined, 1000)
}

await { write, make, purges }[role as 'write' | 'make' | 'purges']()
