/** @param {Array<{ logs: boolean, runs: object[], above: (run: object) => number, ratio: (run: object) => number }>} tables */
export function figuresOf (tables) {
  return tables.flatMap(table => table.runs.flatMap(run => figuresOfRun(run, table)))
}

function figuresOfRun (run, table) {
  const { name, base, limits } = run
  if (limits === undefined) return []
  const logs = `logs ${table.logs ? 'on' : 'off'}`
  const figures = [{ name: `${name}/${base}, ${logs}`, limit: limits.ratio, measured: table.ratio(run) }]
  if (limits.us !== undefined) figures.push({ name: `${name}, µs above ${base}, ${logs}`, limit: limits.us, measured: table.above(run) })
  return figures
}
