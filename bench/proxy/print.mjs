import { digits, printTable } from '../lib/report.mjs'

export function printProxied (table, plan) {
  const peers = table.servers.filter(server => server !== 'ours')
  const head = ['', ...table.servers, ...peers.map(peer => `ours/${peer}`)]
  const rowOf = (label, what, name) => [label, ...table.servers.map(server => digits(table.value(what, name, server))), ...peers.map(peer => digits(table.ratio(name, peer, what)))]
  printTable(`64 keep-alive clients, no access logs, median of ${plan.rounds}`, head, [
    rowOf('20k, CPU µs per request', 'cpu', '20k'),
    rowOf('20k, requests per second', 'rate', '20k'),
    rowOf('20k, p99 in ms', 'p99', '20k'),
    rowOf('10m, CPU ms per MB', 'cpu', '10m'),
    rowOf('10m, MB per second', 'rate', '10m')
  ])
}

export function printStreams (streams) {
  const servers = Object.keys(streams)
  const rowOf = (label, what) => [label, ...servers.map(server => digits(streams[server][what]))]
  printTable('500 MB', ['', ...servers], [
    rowOf('ms to the first byte', 'firstMs'),
    rowOf('behind the origin\'s own', 'behindMs'),
    rowOf('MB in flight to who stopped reading', 'inFlightMb'),
    rowOf('RSS at most in MB, 8 streams', 'peakMb')
  ])
}

export function printRest ({ cache, live }) {
  printTable('Shared cache', ['', 'measured'], [
    ['CPU µs of a hit of 20k', digits(cache.hitUs)],
    ['CPU µs of a hot file of 20k', digits(cache.fileUs)],
    ['origin requests of 500 misses at once', digits(cache.asked)]
  ])
  printTable('140 live viewers and 64 clients of files on one origin', ['', 'measured'], [
    ['viewers who starve', digits(live.starved)],
    ['files per second', digits(live.filesPerSecond)],
    ['p99 of a file in ms', digits(live.fileP99Ms)]
  ])
}
