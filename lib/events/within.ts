/** Waits until something has settled, but no longer than so many milliseconds. It must not fail. */
export async function settledWithin (ms: number, settling: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => { timer = setTimeout(resolve, ms) })
  await Promise.race([settling, late])
  clearTimeout(timer)
}
