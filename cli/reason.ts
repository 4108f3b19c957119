/** What went wrong, and what was underneath it, in one line for a person. */
export function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return firstLine(String(error))
  const own = firstLine(error.message)
  const cause = error.cause instanceof Error ? firstLine(error.cause.message) : ''
  // What a worker failed with has the same message, with its stack.
  return cause === '' || cause.includes(own) ? own : `${own}: ${cause}`
}

function firstLine (text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
