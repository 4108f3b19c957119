import { digits, printTable } from '../lib/report.mjs'
import { isLarge } from './cases.mjs'

/** CPU and speed of all cases, and ours beside each peer. */
export function printTables ({ cases, servers, value, ratio }, plan) {
  const peers = servers.filter(server => server !== 'ours')
  const head = ['', ...servers, ...peers.map(peer => `ours/${peer}`)]
  const rowsOf = (what, unitOf) => cases.map(one => [
    `${one.name}, ${unitOf(one)}`,
    ...servers.map(server => digits(value(what, one.name, server))),
    ...peers.map(peer => digits(ratio(one.name, peer, what)))
  ])
  printTable(`CPU, access logs on, median of ${plan.rounds}`, head, rowsOf('cpu', one => isLarge(one) ? 'ms per MB' : 'µs'))
  printTable('Speed', head, rowsOf('rate', one => isLarge(one) ? 'MB/s' : 'files/s'))
}

/** What being certain costs, apart from all else: bare node:http, which flushes and which does not. */
export function printFlush ({ cases, value }) {
  const rows = cases.filter(({ on }) => on.includes('node:http')).map(one => {
    const [flushed, unflushed] = ['node:http', 'node:http, no fsync'].map(server => value('cpu', one.name, server))
    return [`${one.name}, ${isLarge(one) ? 'ms per MB' : 'µs'}`, digits(flushed), digits(unflushed), digits(flushed - unflushed)]
  })
  if (rows.length > 0) printTable('CPU of fsync of the file and its directory', ['', 'node:http', 'no fsync', 'fsync'], rows)
}

export function printMemory (rows) {
  const [alone] = rows
  printTable('Uploads of 100 MB at once, RSS in MB', ['', 'idle', 'at most, first half', 'at most', 'per further upload', 'MB/s'], rows.map(row => [
    `${row.server}, ${row.uploads}${row.isPaced ? ', paced' : ''}`,
    digits(row.idleMb),
    digits(row.halfMb),
    digits(row.peakMb),
    row.server === 'ours' && row.uploads > alone.uploads ? digits((row.peakMb - alone.peakMb) / (row.uploads - alone.uploads)) : '',
    digits(row.rate)
  ]))
}

/** What the tables do not say by themselves. */
export function printNotes () {
  console.log(`
All servers write to one file system: aside first, then renamed. Ours alone checks a key, the type and the digest, and flushes
the file and its directory before it acknowledges; so does bare node:http without "no fsync". nginx and the others do not flush: what
the kernel writes back later is on nobody's account.`)
}
