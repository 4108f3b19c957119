/** The middle value; the mean of the two middle ones of an even number. NaN of none. */
export function median (values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Three significant digits, or a dash for what was not measured. */
export function digits (value) {
  if (value === undefined || Number.isNaN(value)) return '–'
  const whole = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(whole)
}

/** Prints rows of cells below a title; the first column stands left, the others right. */
export function printTable (title, head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => String(row[column]).length)))
  const lineOf = row => row.map((cell, column) => column === 0 ? String(cell).padEnd(widths[0]) : String(cell).padStart(widths[column])).join('  ')
  console.log(`\n${title}`)
  console.log(lineOf(head))
  console.log(widths.map(width => '-'.repeat(width)).join('  '))
  for (const row of rows) console.log(lineOf(row))
}

/**
 * Prints each figure beside its limit, then the one line for machines, and sets the exit code:
 * 1 where a figure is missed, which one that was not measured is too.
 *
 * @param {string} bench its name
 * @param {Array<{ name: string, limit: number, measured: number }>} figures
 */
export function finish (bench, figures) {
  printTable('Figures to hold', ['figure', 'measured', 'limit', ''], figures.map(figure => [
    figure.name, digits(figure.measured), figure.limit, isMissed(figure) ? 'missed' : 'held'
  ]))
  const missed = figures.filter(isMissed).map(({ name }) => name)
  const measured = Object.fromEntries(figures.map(figure => [figure.name, Math.round(figure.measured * 1000) / 1000]))
  console.log(`\n${JSON.stringify({ bench, figures: measured, missed })}`)
  process.exitCode = missed.length > 0 ? 1 : 0
}

/** What was not measured is NaN, which no comparison is true of. */
function isMissed ({ measured, limit }) {
  return !(measured <= limit)
}
