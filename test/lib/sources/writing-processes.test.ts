// Several processes that write below one directory, and processes that end amid a write.
import { createHash, randomInt } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { fileSource } from '../../../lib/sources/file.ts'
import { filesOf } from '../../../lib/sources/walk.ts'
import { writingOf } from '../../contracts/writable.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'
import { childOf } from '../../helpers/child.ts'

/** Uploads that have to be begun before it is enough. */
const UPLOADS = 500

t.test('of several processes that replace what they saw, none undoes what another did', async t => {
  const root = await scratch(t)
  const children = [0, 1, 2].map(() => childOf(t, 'writing-child', ['count', root, '40']))
  await eventually(() => children.every(child => child.lines().includes('ready')))
  for (const child of children) child.say('go\n')
  await eventually(() => children.every(child => child.lines().includes('counted') || child.errors() !== ''), 60_000)
  t.same(children.map(child => child.errors()), ['', '', ''])
  t.equal(Number(await readFile(join(root, 'count.txt'), 'utf8')), 120)
  t.same(await readdir(join(root, '.uploads', 'locks')), [])
  t.same(await readdir(join(root, '.uploads', 'drafts')), [])
})

t.test('a process that is killed at any moment of its uploads loses none that was acknowledged, and shows none by halves', async t => {
  const root = await scratch(t)
  const begun = new Map<string, string[]>()
  const acknowledged = new Map<string, string>()
  let uploads = 0
  let rounds = 0
  while (uploads < UPLOADS) {
    const child = childOf(t, 'writing-child', ['write', root])
    await eventually(() => child.lines().some(line => line.startsWith('done')) || child.errors() !== '')
    await wait(randomInt(200)) // any moment is the point
    await child.kill()
    t.equal(child.errors(), '')
    for (const [what, name, hash] of child.lines().map(line => line.split(' ') as [string, string, string])) {
      if (what === 'done') {
        acknowledged.set(name, hash)
        continue
      }
      uploads++
      begun.set(name, [...begun.get(name) ?? [], hash])
    }
    rounds++
  }
  t.ok(rounds > 1, `${uploads} uploads, ended ${rounds} times`)

  const source = await fileSource({ root })
  const there = new Set<string>()
  for await (const key of filesOf(source, (_, error) => t.fail(String(error)))) {
    there.add(key)
    const hash = createHash('sha256').update(await readFile(join(root, key))).digest('hex')
    const hashes = begun.get(key) ?? []
    const place = hashes.indexOf(hash)
    if (place === -1) t.fail(`${key} is what nobody wrote`)
    else if (place < hashes.indexOf(acknowledged.get(key) ?? hashes[0] as string)) t.fail(`${key} is older than what was acknowledged`)
  }
  const lost = [...acknowledged.keys()].filter(name => !there.has(name) && !name.startsWith('passing/'))
  t.same(lost, [])
  t.ok(there.size > 50, `${there.size} files`)

  t.ok(await writingOf(source).sweep(0) > 0, 'who was killed has left something')
  t.same(await readdir(join(root, '.uploads', 'drafts')), [])
  t.same(await readdir(join(root, '.uploads', 'locks')), [])
  t.equal(await writingOf(source).sweep(0), 0)
})
