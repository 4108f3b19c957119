/** What must be reached. Every limit is the most that is allowed. */
const CPU = { name: 'PUT 10 MB', peer: 'nginx', limit: 2 }
const MEMORY = { uploads: 32, limit: 160 }

export function ratioFigures (table) {
  return [{ name: `CPU of ${CPU.name} with digest and sniffing, ours/${CPU.peer}`, limit: CPU.limit, measured: table.ratio(CPU.name, CPU.peer) }]
}

/** However fast the clients are. */
export function memoryFigures (rows) {
  const own = rows.filter(({ server, uploads }) => server === 'ours' && uploads === MEMORY.uploads)
  return [{ name: `RSS MB, ${MEMORY.uploads} uploads of 100 MB at once`, limit: MEMORY.limit, measured: own.length === 0 ? Number.NaN : Math.max(...own.map(({ peakMb }) => peakMb)) }]
}
