import { spawn } from 'node:child_process'
import { lstat, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Claims, type ClaimTimes } from '../../../lib/sources/writing-claims.ts'
import { isRunning, ownerNamed, ownerName, ownProcess, type Owner } from '../../../lib/sources/writing-owner.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'

const own = await ownProcess()

const elsewhere: Owner = { host: '0123456789ab', pid: own.pid, start: own.start }

const patient: ClaimTimes = { patienceMs: 60_000, beatMs: 5000, silenceMs: 60_000 }

t.test('one at a time has a thing, whoever they are; another thing is free', async t => {
  const directory = await scratch(t)
  const [one, other] = [new Claims(directory, own), new Claims(directory, elsewhere)]
  let inside = 0
  let most = 0
  await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const release = await (n % 2 === 0 ? one : other).take('thing')
    most = Math.max(most, ++inside)
    await readdir(directory)
    inside--
    await release()
  }))
  t.equal(most, 1)
  const release = await one.take('thing')
  const releaseOther = await other.take('other thing')
  t.equal((await readdir(directory)).length, 2)
  await release()
  await releaseOther()
  await release()
  t.same(await readdir(directory), [])
})

t.test('who waits too long is told so, and leaves nothing', async t => {
  const directory = await scratch(t)
  const release = await new Claims(directory, own).take('thing')
  await t.rejects(new Claims(directory, own, { patienceMs: 20 }).take('thing'), { code: 'locked', statusCode: 423, headers: { 'retry-after': '1' } })
  t.equal((await readdir(directory)).length, 1)
  await release()
  await (await new Claims(directory, own, { patienceMs: 20 }).take('thing'))()
})

t.test('what a process left that is gone is nobody\'s: also where its id is another\'s by now', async t => {
  const directory = await scratch(t)
  const child = spawn(process.execPath, ['-e', ''])
  const pid = child.pid as number
  await new Promise(resolve => child.once('exit', resolve))
  for (const gone of [{ ...own, pid, start: 1 }, { ...own, start: own.start + 1 }]) {
    await new Claims(directory, gone).take('thing')
    await (await new Claims(directory, own, patient).take('thing'))()
    t.same(await readdir(directory), [])
  }
})

t.test('what another host has is its own while it beats', async t => {
  const directory = await scratch(t)
  const times = { patienceMs: 1, beatMs: 20, silenceMs: 30_000 }
  const release = await new Claims(directory, elsewhere, times).take('thing')
  const [name = ''] = await readdir(directory)
  const silent = Date.now() / 1000 - 60
  await utimes(join(directory, name), silent, silent)
  await eventually(async () => (await lstat(join(directory, name))).mtimeMs > Date.now() - 20_000)
  const us = new Claims(directory, own, times)
  const isTaken = async (): Promise<boolean> => await us.take('thing').then(async give => {
    await give()
    return false
  }, () => true)
  t.ok(await isTaken(), 'it beat')
  await release()
  await writeFile(join(directory, name), '')
  t.ok(await isTaken(), 'it is young')
  await utimes(join(directory, name), silent, silent)
  t.notOk(await isTaken(), 'nobody beats')
})

t.test('sweeping takes what is old and nobody\'s', async t => {
  const directory = await scratch(t, { 'what is this': '' })
  const claims = new Claims(directory, own)
  const release = await claims.take('thing')
  const foreign = await new Claims(directory, elsewhere).take('other')
  await new Claims(directory, { ...own, start: own.start + 1 }).take('gone')
  t.equal(await claims.sweep(60_000), 0)
  t.equal(await claims.sweep(-1), 2)
  t.equal((await readdir(directory)).length, 2)
  await release()
  await foreign()
  t.equal(await new Claims(join(directory, 'nowhere'), own).sweep(0), 0)
})

t.test('a process is known by its id and when it began', async t => {
  t.ok(await isRunning(own))
  t.notOk(await isRunning({ ...own, start: own.start + 1 }))
  t.notOk(await isRunning({ ...own, pid: 2 ** 22 + 1 }), 'no process has such an id')
  t.same(ownerNamed(ownerName(own)), own)
  for (const name of ['', 'a.b.c', '0123456789ab.1', '0123456789ab.x.1', '0123456789ab.-1.1', '../../etc']) t.equal(ownerNamed(name), undefined, name)
})
