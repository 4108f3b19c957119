/** The code of an error of the file system, or an empty string. */
export function errorCode (error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Whether nothing is there. */
export function isAbsent (error: unknown): boolean {
  return errorCode(error) === 'ENOENT'
}
