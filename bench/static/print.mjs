import { digits, printTable } from '../lib/report.mjs'
import { cases } from './cases.mjs'

const LARGEST_MB = 10

/** The tables of one setting of the access logs. */
export function printStatic (table, plan) {
  const logs = `access logs ${table.logs ? 'on' : 'off'}, median of ${plan.rounds}`
  const head = ['', ...table.servers, ...peersOf(table).map(peer => `ours/${peer}`)]
  const rowOf = (what, name, label = name, scale = 1) => [
    label,
    ...table.servers.map(server => digits(table.value(what, name, server) * scale)),
    ...peersOf(table).map(peer => digits(table.ratio(name, peer, what)))
  ]
  printTable(`CPU µs per request, ${logs}`, head, [
    ...cases.map(({ name }) => rowOf('cpu', name)),
    rowOf('cpu', '10m', '10m, ms/MB', 1 / 1000 / LARGEST_MB)
  ])
  printTable(`Requests per second, ${logs}`, head, cases.map(({ name }) => rowOf('rate', name)))
  printTable(`p99 in ms, ${logs}`, head, cases.map(({ name }) => rowOf('p99', name)))
  printTable(`RSS at most in MB, access logs ${table.logs ? 'on' : 'off'}`, head, [[
    'all cases',
    ...table.servers.map(server => digits(table.peakMb(server))),
    ...peersOf(table).map(peer => digits(table.peakMb('ours') / table.peakMb(peer)))
  ]])
}

export function printOurs ({ idleMb, halfMb, peakMb, readyMs }) {
  printTable('Our process alone', ['', 'measured'], [
    ['RSS in MB, idle', digits(idleMb)],
    ['RSS at most in MB, 64 clients on 64 files of 10 MB, first half', digits(halfMb)],
    ['RSS at most in MB, 64 clients on 64 files of 10 MB, whole', digits(peakMb)],
    ['ms from start to ready', digits(readyMs)]
  ])
}

function peersOf ({ servers }) {
  return servers.filter(server => server !== 'ours')
}
