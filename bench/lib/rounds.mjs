/** The list from another start, so that nobody always comes first, nor always after the same. */
export function rotated (list, by) {
  const start = by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
