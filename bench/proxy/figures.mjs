/** What must be reached: CPU as a ratio to a peer. Every limit is the most that is allowed. */
const ratios = [
  { name: '20k', peer: '@fastify/http-proxy', limit: 0.7 },
  { name: '20k', peer: 'caddy', limit: 0.8 },
  { name: '10m', peer: '@fastify/http-proxy', limit: 0.9 },
  { name: '10m', peer: 'nginx', limit: 1 }
]

/** Whether a quick run needs this measurement. */
export function isNeeded (name, server) {
  return ratios.some(ratio => ratio.name === name && (server === 'ours' || ratio.peer === server))
}

export function ratioFigures (table) {
  return ratios.map(({ name, peer, limit }) => ({ name: `CPU of ${name}, ours/${peer}`, limit, measured: table.ratio(name, peer) }))
}

/** @param {{ behindMs: number, peakMb: number, inFlightMb: number }} streams ours */
export function streamFigures ({ behindMs, peakMb, inFlightMb }) {
  return [
    { name: 'ms of the first byte of 500 MB, ours-origin', limit: 3, measured: behindMs },
    { name: 'RSS MB, 8 streams of 500 MB', limit: 150, measured: peakMb },
    { name: 'MB in flight to who stopped reading', limit: 16, measured: inFlightMb }
  ]
}

/** @param {{ hitRatio: number, asked: number }} cache */
export function cacheFigures ({ hitRatio, asked }) {
  return [
    { name: 'CPU of a cache hit of 20k/hot file', limit: 1.3, measured: hitRatio },
    { name: 'origin requests of 500 misses at once', limit: 1, measured: asked }
  ]
}

/** @param {{ starved: number, failed: number }} live */
export function liveFigures ({ starved, failed }) {
  return [
    { name: 'live viewers who starve, of 140', limit: 0, measured: starved },
    { name: 'loads of files that fail meanwhile', limit: 0, measured: failed }
  ]
}
