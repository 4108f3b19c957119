import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Members } from '../../../lib/events/members.ts'
import { scratch } from '../../helpers/app.ts'

const longAgo = new Date(Date.now() - 60_000)

t.test('who has joined is alive until it leaves, gives no sign, or its process is gone', async t => {
  const directory = join(await scratch(t), 'alive')
  const [one, two] = [new Members(directory), new Members(directory)]
  t.equal(await two.isAlive(one.name), false, 'who never joined')
  await one.join()
  await two.join()
  t.equal(await two.isAlive(one.name), true, 'another one of this process')
  const file = join(directory, one.name)

  utimesSync(file, longAgo, longAgo)
  t.equal(await two.isAlive(one.name), false, 'no sign')
  await one.beat()
  t.equal(await two.isAlive(one.name), true)

  const own = JSON.parse(readFileSync(file, 'utf8')) as object
  for (const [other, isAlive, why] of [
    [{ pid: process.ppid }, true, 'a process that is there'],
    [{ pid: 2 ** 30 }, false, 'no such process'],
    [{ startedMs: 1 }, false, 'an earlier process of this id'],
    [{ pid: 2 ** 30, host: 'elsewhere' }, true, 'another host, whose processes nobody here knows']
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...own, ...other }))
    t.equal(await two.isAlive(one.name), isAlive, why)
  }
  writeFileSync(file, '{"ho')
  t.equal(await two.isAlive(one.name), true, 'one that is being written')
  await one.leave()
  t.equal(await two.isAlive(one.name), false)
})

t.test('a file that was removed is written again; those of the dead go', async t => {
  const directory = join(await scratch(t), 'alive')
  const [one, two] = [new Members(directory), new Members(directory)]
  await one.join()
  await two.join()
  rmSync(directory, { recursive: true })
  await one.beat()
  t.same(readdirSync(directory), [one.name])
  writeFileSync(join(directory, 'dead'), '')
  utimesSync(join(directory, 'dead'), longAgo, longAgo)
  await one.sweep()
  t.same(readdirSync(directory), [one.name])
  await one.leave()
  await one.leave()
  t.same(readdirSync(directory), [])
})

t.test('where that cannot be known it is said', async t => {
  const directory = join(await scratch(t), 'alive')
  writeFileSync(directory, 'a file')
  const one = new Members(directory)
  await t.rejects(one.join(), { code: 'EEXIST' })
  await t.rejects(one.beat(), { code: 'ENOTDIR' })
  await t.rejects(one.isAlive('x'), { code: 'ENOTDIR' })
  t.ok(existsSync(directory))
})
