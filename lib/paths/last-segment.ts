/** The name at the end of a path, whichever slashes it has: what a path given as a file's name stands for. */
export function lastSegment (path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}
