/** Why the server ended a worker: `rest` where nobody needed it, or it kept too much memory. */
export type KillReason = 'time' | 'memory' | 'total-memory' | 'cancelled' | 'malformed' | 'start' | 'rest' | 'closed'

/** How a worker came to its end. */
export interface WorkerEnd {
  /** Why, where the server ended it. */
  readonly reason: KillReason | undefined
  readonly exitCode: number | null
  readonly signal: string | null
  /** The last it wrote to its standard error, or what was wrong with it. */
  readonly stderr: string
}
