import { Writable } from 'node:stream'
import t from 'tap'
import { pino } from 'pino'
import { LazyLog, type Log } from '../../lib/lazy-log.ts'

t.test('a lazy child logs as the child would, and is made once, with its first line', async t => {
  const lines: Array<Record<string, unknown>> = []
  const sink = new Writable({ write (line: Buffer, _encoding, done) { lines.push(JSON.parse(line.toString()) as Record<string, unknown>); done() } })
  const parent = pino({ level: 'trace', base: null }, sink) as unknown as Log
  let made = 0
  const counting: Log = { ...parent, child: (bindings, options) => { made++; return parent.child(bindings, options) } }
  const log = new LazyLog(counting, { reqId: 'r-1' }, {})
  t.equal(made, 0)
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const) log[level]({ level: undefined, said: level } as never, 'words' as never)
  t.equal(made, 1)
  t.same(lines.map(line => [line.said, line.reqId, line.msg]), ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => [level, 'r-1', 'words']))
  log.child({ more: 1 }).info('x' as never)
  t.match(lines.at(-1), { reqId: 'r-1', more: 1 })
  t.equal(log.level, 'trace')
  log.level = 'error'
  log.info('quiet' as never)
  log.level = undefined
  t.equal(log.level, 'error')
  t.equal(lines.length, 7)
})
