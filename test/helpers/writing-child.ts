// Another process that writes below a directory. Roles: `write DIRECTORY` writes files of new names, and one
// again and again, until it is killed, and says of each when it is begun and when it is acknowledged, with the
// SHA-256 of its content; `count DIRECTORY TIMES` adds one to the number in `count.txt` so many times, on
// condition that nobody else did meanwhile; `begin DIRECTORY KEY…` tries to begin files as a user who owns
// nothing, and says how each is refused.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { MediaError } from '../../lib/errors.ts'
import type { Key } from '../../lib/paths/request-path.ts'
import { RepresentationChanged } from '../../lib/representation.ts'
import { fileSource } from '../../lib/sources/file.ts'
import type { FoundFile } from '../../lib/sources/source.ts'
import type { Condition, Writable } from '../../lib/sources/writing.ts'

const [role, root = '', ...rest] = process.argv.slice(2)
const source = await fileSource({ root })
const writing = source.writing as Writable

const NOBODY = 65_534

/** One write at a time goes out whole: to a pipe it is synchronous. */
function say (...words: string[]): void {
  process.stdout.write(`${words.join(' ')}\n`)
}

async function upload (name: string): Promise<void> {
  const content = randomBytes(randomInt(4) === 0 ? randomInt(3_000_000) : randomInt(20_000))
  const hash = createHash('sha256').update(content).digest('hex')
  say('begun', name, hash)
  const draft = await writing.begin(name as Key)
  for (let start = 0; start < content.length; start += 65_536) await draft.write(content.subarray(start, start + 65_536))
  await draft.commit()
  say('done', name, hash)
}

async function write (): Promise<void> {
  const prefix = randomBytes(4).toString('hex')
  await Promise.all([0, 1, 2, 3].map(async writer => {
    for (let n = 0; ; n++) {
      await upload(writer === 0 ? 'again/same.bin' : `${prefix}/${n % 7}/${writer}-${n}.bin`)
      // Its directories come and go.
      if (n % 5 === 4) {
        await upload(`passing/${n % 2}/${prefix}-${writer}.bin`)
        await writing.remove(`passing/${n % 2}/${prefix}-${writer}.bin` as Key)
      }
    }
  }))
}

async function count (): Promise<void> {
  say('ready')
  await new Promise(resolve => process.stdin.once('data', resolve))
  for (let n = 0; n < Number(rest[0]);) if (await addOne()) n++
  say('counted')
  process.stdin.destroy()
}

/** Whether nobody else was faster. */
async function addOne (): Promise<boolean> {
  try {
    const found = await source.stat('count.txt' as Key) as FoundFile | undefined
    const number = found === undefined ? 0 : Number(((await found.representation.open()) as Buffer).toString())
    const draft = await writing.begin('count.txt' as Key)
    await draft.write(Buffer.from(String(number + 1).padStart(6, '0')))
    await draft.commit(onlyOver(found))
    return true
  } catch (error) {
    if (error instanceof RepresentationChanged || (error instanceof MediaError && error.code === 'precondition-failed')) return false
    throw error
  }
}

function onlyOver (seen: FoundFile | undefined): Condition {
  return current => {
    if (current?.representation.entityTag !== seen?.representation.entityTag) throw new MediaError('precondition-failed')
  }
}

async function begin (): Promise<void> {
  if (process.getuid?.() === 0) {
    process.setgroups?.([])
    process.setgid?.(NOBODY)
    process.setuid?.(NOBODY)
  }
  for (const name of rest) {
    const outcome = await writing.begin(name as Key).then(async draft => await draft.discard().then(() => 'begun'), (error: unknown) => error instanceof MediaError ? error.code : String(error))
    say(name, outcome)
  }
}

await { write, count, begin }[role as 'write' | 'count' | 'begin']()
