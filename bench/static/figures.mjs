/** What must be reached: CPU per request as a ratio to a peer, with logs on as with logs off. */
const ratios = [
  ...['2k', '20k', '304', 'HEAD'].flatMap(name => [
    { name, peer: 'caddy', limit: 0.75 },
    { name, peer: 'nginx', limit: 1.8 }
  ]),
  { name: '200k', peer: 'nginx', limit: 1.2 },
  ...['2k', '20k', '304', '10m'].map(name => ({ name, peer: '@fastify/static', limit: 0.25 })),
  { name: '10m', peer: 'nginx', limit: 2.2 }
]

/** Whether a quick run needs this measurement. */
export function isNeeded (name, server) {
  return ratios.some(ratio => ratio.name === name && (server === 'ours' || ratio.peer === server))
}

/** @param {Array<{ logs: boolean, ratio: (name: string, peer: string) => number }>} tables */
export function ratioFigures (tables) {
  return tables.flatMap(table => ratios.map(({ name, peer, limit }) => ({
    name: `${name} ours/${peer}, logs ${table.logs ? 'on' : 'off'}`,
    limit,
    measured: table.ratio(name, peer)
  })))
}

/** @param {{ peakMb: number, idleMb: number, readyMs: number }} process */
export function processFigures ({ peakMb, idleMb, readyMs }) {
  return [
    { name: 'RSS MB, 64 clients on 10 MB files', limit: 160, measured: peakMb },
    { name: 'RSS MB, idle', limit: 90, measured: idleMb },
    { name: 'ms from start to ready', limit: 700, measured: readyMs }
  ]
}
